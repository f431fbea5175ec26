// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"cmp"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/injector/fetch"
	"github.com/credence-dev/credence/usage"
)

// Settings say how often is examined, and what is put right.
type Settings struct {
	// Interval is how often the cluster is examined. The default is 1 min.
	Interval time.Duration
	// Settle is how long changes are collected that bring an examination forward, and how
	// often warnings are looked for. The default is 5 s.
	Settle time.Duration
	// Evict has pods replaced.
	Evict bool
	// Patience is how long a workload is left alone after one of its pods was evicted,
	// and all of them after the start: another process may have evicted just before. The
	// default is 5 min.
	Patience time.Duration
	// PerSecond is how many pods are evicted in a second. The default is 1.
	PerSecond float32
	// Fetch are the settings with which the webhook injects data sources. The default is
	// that of an installation that changes none.
	Fetch *fetch.Settings
}

// Options are the settings and the parts. All parts are required, but for Uncarried.
type Options struct {
	Settings
	Catalog *catalog.Catalog
	Feed    *feed.Feed
	Index   Index
	// Uncarried returns the workloads whose annotations were not carried.
	Uncarried func() []usage.Uncarried
	// APIReader reads pods without a cache.
	APIReader client.Reader
	Clock     clock.PassiveClock
	Recorder  Recorder
	// Registerer takes the metrics.
	Registerer prometheus.Registerer
}

// Setup adds the doctor to a manager. It must be called before the manager starts.
func Setup(mgr manager.Manager, options Options) error {
	judge := Judge{Catalog: options.Catalog, Fetch: options.Fetch}
	d := &doctor{
		Judge:     judge,
		suspects:  suspects{index: options.Index, catalog: options.Catalog, live: options.APIReader},
		cache:     mgr.GetCache(),
		feed:      options.Feed,
		uncarried: options.Uncarried,
		teller:    teller{recorder: options.Recorder},
		found: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "credence_doctor_findings",
			Help: "What the last examination found, by kind (NotInjected, NotCarried, PullSecretMissing). Only the leader examines.",
		}, []string{"kind"}),
		evictions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "credence_doctor_evictions_total",
			Help: "Pods that were to be replaced, by outcome: evicted; blocked by a PodDisruptionBudget; refused, or would-lack it again, when a pod like it was tried; failed.",
		}, []string{"outcome"}),
		interval: cmp.Or(options.Interval, time.Minute),
		settle:   cmp.Or(options.Settle, 5*time.Second),
		kicks:    make(chan struct{}, 1),
	}
	if options.Evict {
		d.replacer = &Replacer{
			Judge: judge, Live: options.APIReader, Client: mgr.GetClient(), Clock: options.Clock,
			Patience: cmp.Or(options.Patience, 5*time.Minute),
			Pace:     flowcontrol.NewTokenBucketRateLimiter(cmp.Or(options.PerSecond, 1), 1),
		}
	}
	for _, collector := range []prometheus.Collector{d.found, d.evictions} {
		if err := options.Registerer.Register(collector); err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	repeats := &repeater{
		index: options.Index, catalog: options.Catalog, teller: teller{recorder: options.Recorder}, clock: options.Clock,
		elected: mgr.Elected(), interval: d.settle,
	}
	for _, runnable := range []manager.Runnable{d, repeats} {
		if err := mgr.Add(runnable); err != nil {
			return fmt.Errorf("adding the doctor: %w", err)
		}
	}
	return nil
}
