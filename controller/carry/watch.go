// SPDX-License-Identifier: Apache-2.0

package carry

import (
	"context"
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

// uncarried are those of projects. Elsewhere annotations mean nothing.
func (f *facts) uncarried() []usage.Uncarried {
	var list []usage.Uncarried
	for _, one := range f.index.Uncarried() {
		if place, known := f.catalog.Place(one.Namespace); known && place.IsProject() {
			list = append(list, one)
		}
	}
	return list
}

// watch brings the workloads that were not carried. What happens is collected for a
// moment: after an outage they are many.
type watch struct {
	facts
	memory *memory
	settle time.Duration
	// elected is closed when the process leads. Before that nobody takes anything out of
	// the queue.
	elected <-chan struct{}
	news    atomic.Bool
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

func (w *watch) bring(queue workqueue.TypedInterface[usage.Uncarried]) {
	if !w.news.Swap(false) {
		return
	}
	all := w.index.Uncarried()
	w.memory.keep(all)
	for _, one := range all { // where they are is asked later: a namespace may become a project
		queue.Add(one)
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
	for _, one := range g.uncarried() {
		counts[one.GroupKind.String()]++
	}
	for kind, n := range counts {
		metrics <- prometheus.MustNewConstMetric(uncarriedDesc, prometheus.GaugeValue, float64(n), kind)
	}
}
