// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
)

// recorderName is the reporting controller of our events.
const recorderName = "credence-controller"

// Options are the parts and settings of the controllers. Only the first two are
// required.
type Options struct {
	// Catalog knows the namespaces and Credentials, and Feed keeps it up to date.
	Catalog *catalog.Catalog
	Feed    *feed.Feed
	// APIReader reads without a cache. The default is the manager's.
	APIReader client.Reader
	// Clock tells the time. The default is the system's.
	Clock clock.PassiveClock
	// Concurrency is how many writes of copies may be under way at once. The
	// default is 16.
	Concurrency int
	// Workers is how many Credentials are reconciled at once. The default is 8.
	Workers int
	// RetryBase and RetryMax bound the back-off of a namespace that refuses its
	// copy, or has another Secret in its place. The defaults are 1 s and 2 min.
	RetryBase, RetryMax time.Duration
	// Registerer takes the metrics. The default is controller-runtime's registry.
	Registerer prometheus.Registerer
}

func (o *Options) setDefaults(mgr manager.Manager) {
	if o.APIReader == nil {
		o.APIReader = mgr.GetAPIReader()
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Registerer == nil {
		o.Registerer = metrics.Registry
	}
	o.Concurrency = cmp.Or(o.Concurrency, 16)
	o.Workers = cmp.Or(o.Workers, 8)
	o.RetryBase = cmp.Or(o.RetryBase, time.Second)
	o.RetryMax = cmp.Or(o.RetryMax, 2*time.Minute)
}

// Setup adds the controllers to a manager whose cache has CacheOptions. It must
// be called before the manager starts, and its context is needed only until it
// returns.
func Setup(ctx context.Context, mgr manager.Manager, options Options) error {
	if options.Catalog == nil || options.Feed == nil {
		return errors.New("setting up the controllers: Catalog and Feed are required")
	}
	options.setDefaults(mgr)
	if err := addIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return fmt.Errorf("setting up the controllers: %w", err)
	}
	writer := copies.NewWriter(copies.Options{
		Client:      mgr.GetClient(),
		Reader:      options.APIReader,
		Cache:       mgr.GetCache(),
		Clock:       options.Clock,
		Concurrency: options.Concurrency,
		RetryBase:   options.RetryBase,
		RetryMax:    options.RetryMax,
	})
	for _, collector := range []prometheus.Collector{writer.Collector(), &census{cache: mgr.GetCache()}} {
		if err := options.Registerer.Register(collector); err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	look := lookup{cache: mgr.GetCache(), live: options.APIReader}
	if err := setupCredentials(mgr, options, writer, look); err != nil {
		return fmt.Errorf("setting up the controller of Credentials: %w", err)
	}
	if err := setupStrays(mgr, options, writer, look); err != nil {
		return fmt.Errorf("setting up the controller of strays: %w", err)
	}
	return nil
}

func setupCredentials(mgr manager.Manager, options Options, writer *copies.Writer, look lookup) error {
	reconciler := &reconciler{
		client:   mgr.GetClient(),
		writer:   writer,
		recorder: mgr.GetEventRecorder(recorderName),
		gatherer: gatherer{
			lookup:  look,
			catalog: options.Catalog,
			clock:   options.Clock,
			keyring: &copies.Keyring{
				Client:    mgr.GetClient(),
				Reader:    options.APIReader,
				Namespace: options.Catalog.Layout().InstallNamespace,
			},
		},
	}
	caches, err := sourceCaches(mgr)
	if err != nil {
		return err
	}
	watch := watches{lookup: look, feed: options.Feed, layout: options.Catalog.Layout()}
	build := builder.ControllerManagedBy(mgr).Named("credential").
		WatchesRawSource(watch.onFeed()).
		WatchesRawSource(watch.onCopies(mgr.GetCache()))
	for _, c := range caches {
		build = build.WatchesRawSource(watch.onSources(c))
	}
	return build.WithOptions(controllerOptions(options.Workers, logRequest(mgr.GetLogger()))).Complete(reconciler)
}

func controllerOptions[request comparable](workers int, log logConstructor[request]) controller.TypedOptions[request] {
	return controller.TypedOptions[request]{
		MaxConcurrentReconciles: workers,
		// The default begins with 5 ms, which is a storm when the API server is what
		// fails (external-secrets#2088).
		RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[request](200*time.Millisecond, 2*time.Minute),
		// The priority queue has stopped reconciling at some thousands of objects
		// (external-secrets#6053).
		UsePriorityQueue: new(false),
		LogConstructor:   log,
		// Longer than any pass takes, and short enough to get over a connection that
		// hangs.
		ReconciliationTimeout: time.Minute,
		// A standby follows everything, so that a new leader starts at once.
		EnableWarmup: new(true),
	}
}
