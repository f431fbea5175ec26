// SPDX-License-Identifier: Apache-2.0

package restart

import (
	"cmp"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/usage"
)

// Settings say whether and how fast workloads are restarted.
type Settings struct {
	// Enabled says whether anything is restarted. If it is not, credentials that ask
	// for it are told so.
	Enabled bool
	// Settle is how long changes are collected. The default is 5 s.
	Settle time.Duration
	// Patience is how long after a restart somebody who takes it back is waited for.
	// The default is 5 min.
	Patience time.Duration
	// PerSecond is how many workloads are restarted in a second. The default is 1.
	PerSecond float32
}

// Options are the settings and the parts. All parts are required, but for Wrap.
type Options struct {
	Settings
	Catalog *catalog.Catalog
	Feed    *feed.Feed
	Index   Index
	// APIReader reads workloads without a cache.
	APIReader client.Reader
	Clock     clock.PassiveClock
	Recorder  recorder.EventRecorder
	// Registerer takes the metrics.
	Registerer prometheus.Registerer
	// Controller are the options of the controller. It needs no more workers than a
	// few, for restarts are spread over time.
	Controller controller.TypedOptions[usage.Workload]
	// Wrap goes around the reconciler.
	Wrap func(reconcile.TypedReconciler[usage.Workload]) reconcile.TypedReconciler[usage.Workload]
}

// Setup adds restarts to a manager. It must be called before the manager starts.
func Setup(mgr manager.Manager, options Options) error {
	if !options.Enabled {
		if err := mgr.Add(&notices{feed: options.Feed, recorder: options.Recorder}); err != nil {
			return fmt.Errorf("adding the notices of restarts: %w", err)
		}
		return nil
	}
	known := facts{index: options.Index, catalog: options.Catalog, cache: mgr.GetCache()}
	r := &reconciler{
		facts:    known,
		live:     options.APIReader,
		client:   mgr.GetClient(),
		clock:    options.Clock,
		recorder: options.Recorder,
		pace:     flowcontrol.NewTokenBucketRateLimiter(cmp.Or(options.PerSecond, 1), 1),
		patience: cmp.Or(options.Patience, 5*time.Minute),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "credence_workload_restarts_total",
			Help: "Restarts of workloads for new values, by kind and outcome (restarted, reverted by somebody, refused by the API server).",
		}, []string{"kind", "outcome"}),
	}
	if err := options.Registerer.Register(r.restarts); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	var reconciler reconcile.TypedReconciler[usage.Workload] = r
	if options.Wrap != nil {
		reconciler = options.Wrap(r)
	}
	return builder.TypedControllerManagedBy[usage.Workload](mgr).Named("restart").
		WatchesRawSource(&watch{
			facts:     known,
			feed:      options.Feed,
			informers: mgr.GetCache(),
			settle:    cmp.Or(options.Settle, 5*time.Second),
			elected:   mgr.Elected(),
		}).
		WithOptions(options.Controller).
		Complete(reconciler)
}
