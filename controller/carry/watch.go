// SPDX-License-Identifier: Apache-2.0

package carry

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"

	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/usage"
)

// facts are what is known of workloads that were not carried.
type facts struct {
	index   Index
	catalog *catalog.Catalog
}

// inProjects are those of projects. Elsewhere annotations mean nothing.
func (f *facts) inProjects(all []usage.Uncarried) (list []usage.Uncarried) {
	for _, one := range all {
		if place, known := f.catalog.Place(one.Namespace); known && place.IsProject() {
			list = append(list, one)
		}
	}
	return list
}

// backlog are the workloads of projects that were not carried when they were last
// listed. To list them for each pass would be work that grows with their square.
type backlog struct {
	mu   sync.Mutex
	list map[usage.Uncarried]bool
}

func (b *backlog) has(w usage.Uncarried) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.list[w]
}

// replace returns what was there before.
func (b *backlog) replace(list map[usage.Uncarried]bool) (before map[usage.Uncarried]bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before, b.list = b.list, list
	return before
}

// watch brings the workloads that were not carried, each when it comes. What happens
// is collected for a moment: after an outage they are many.
type watch struct {
	facts
	backlog *backlog
	memory  *memory
	settle  time.Duration
	// elected is closed when the process leads. Before that nobody takes anything out of
	// the queue.
	elected <-chan struct{}
	news    atomic.Bool
	// elsewhere says that some are in no project. Their namespace may become one, of which
	// the index does not tell.
	elsewhere bool
}

// Start implements source.TypedSource.
func (w *watch) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[usage.Uncarried]) error {
	w.news.Store(true)
	w.index.NotifyUncarried(func() { w.news.Store(true) })
	go func() {
		select {
		case <-w.elected:
		case <-ctx.Done():
			return
		}
		wait.UntilWithContext(ctx, func(context.Context) { w.bring(queue) }, w.settle)
	}()
	return nil
}

// bring adds what has come. What was there before is in the queue, or waits to be
// looked at again.
func (w *watch) bring(queue workqueue.TypedInterface[usage.Uncarried]) {
	if !w.news.Swap(false) && !w.elsewhere {
		return
	}
	all := w.index.Uncarried()
	w.memory.keep(all)
	here := w.inProjects(all)
	w.elsewhere = len(here) < len(all)
	now := make(map[usage.Uncarried]bool, len(here))
	for _, one := range here {
		now[one] = true
	}
	before := w.backlog.replace(now)
	for _, one := range here {
		if !before[one] {
			queue.Add(one)
		}
	}
}

var uncarriedDesc = prometheus.NewDesc("credence_workloads_uncarried",
	"Workloads in projects whose annotations are not on their pod templates, by kind.", []string{"kind"}, nil)

// gauge counts when it is asked.
type gauge struct{ facts }

// Describe implements prometheus.Collector.
func (g *gauge) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- uncarriedDesc }

// Collect implements prometheus.Collector. Built-in kinds are there with 0, too, so
// that an alert knows the metric.
func (g *gauge) Collect(metrics chan<- prometheus.Metric) {
	counts := map[string]int{"Deployment.apps": 0, "StatefulSet.apps": 0, "DaemonSet.apps": 0, "CronJob.batch": 0, "Job.batch": 0}
	for _, one := range g.inProjects(g.index.Uncarried()) {
		counts[one.GroupKind.String()]++
	}
	for kind, n := range counts {
		metrics <- prometheus.MustNewConstMetric(uncarriedDesc, prometheus.GaugeValue, float64(n), kind)
	}
}
