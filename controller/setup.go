// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/credence-dev/credence/controller/adoption"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/progress"
	"github.com/credence-dev/credence/controller/restart"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/usage"
)

// recorderName is the reporting controller of our events.
const recorderName = "credence-controller"

// Options are the parts and settings of the controllers. Only the first three are
// required.
type Options struct {
	// Catalog knows the namespaces and Credentials, and Feed keeps it up to date.
	Catalog *catalog.Catalog
	Feed    *feed.Feed
	// Usage knows who uses what. While it does not, copies on demand stay as they are.
	Usage users.Index
	// UsageInterval is how often the users of a Credential are counted at most, and
	// UsageLag how often that is told which changes with every rollout: automatic pull
	// secrets, and pods with old values. The defaults are 1 s and 30 s.
	UsageInterval, UsageLag time.Duration
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
	// ReleaseStrays lets copies go that the guard against removing very many at once
	// would hold.
	ReleaseStrays bool
	// StrayInterval is how long a copy has to be without a Credential before it goes,
	// and how often what is held is looked at again. The default is 30 s.
	StrayInterval time.Duration
	// Restart says whether workloads are restarted that read changed values.
	Restart restart.Settings
	// Progress takes note of what the controllers finish. The default is one that
	// nobody asks.
	Progress *progress.Monitor
	// Heartbeat is how often the controllers are seen to work, and Resync how often
	// every Credential is looked at although nothing happened. The defaults are 1 min
	// and 1 h.
	Heartbeat, Resync time.Duration
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
	o.UsageInterval = cmp.Or(o.UsageInterval, time.Second)
	o.UsageLag = cmp.Or(o.UsageLag, 30*time.Second)
	o.RetryBase = cmp.Or(o.RetryBase, time.Second)
	o.StrayInterval = cmp.Or(o.StrayInterval, 30*time.Second)
	if o.Progress == nil {
		o.Progress = progress.NewMonitor(o.Clock)
	}
	o.Heartbeat = cmp.Or(o.Heartbeat, time.Minute)
	o.Resync = cmp.Or(o.Resync, time.Hour)
	o.RetryMax = cmp.Or(o.RetryMax, 2*time.Minute)
}

// Setup adds the controllers to a manager whose cache has CacheOptions. It must
// be called before the manager starts, and its context is needed only until it
// returns.
func Setup(ctx context.Context, mgr manager.Manager, options Options) error {
	if options.Catalog == nil || options.Feed == nil || options.Usage == nil {
		return errors.New("setting up the controllers: Catalog, Feed and Usage are required")
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
	if err := addParts(mgr, options, writer); err != nil {
		return err
	}
	look := lookup{cache: mgr.GetCache(), live: options.APIReader}
	sources, err := sourceCaches(mgr)
	if err != nil {
		return err
	}
	watch := watches{lookup: look, feed: options.Feed, layout: options.Catalog.Layout(), sources: sources}
	counter := users.Counter{Index: options.Usage, Catalog: options.Catalog, Cache: mgr.GetCache()}
	gate := &guard{
		live:     options.APIReader,
		clock:    options.Clock,
		lease:    types.NamespacedName{Namespace: options.Catalog.Layout().InstallNamespace, Name: LeaseName},
		release:  options.ReleaseStrays,
		interval: options.StrayInterval,
	}
	keeper := &kept{client: mgr.GetClient(), live: options.APIReader, lease: gate.lease}
	for _, controller := range []struct {
		what  string
		setup func() error
	}{
		{"the controller of Credentials", func() error { return setupCredentials(mgr, options, writer, watch, gate, keeper, &counter) }},
		{"the controller of the usage", func() error { return setupUsage(mgr, options, watch, counter) }},
		{"the controller of strays", func() error { return setupStrays(mgr, options, writer, look, gate, keeper) }},
		{"the controller of sources", func() error { return setupAdoption(mgr, options, sources[sourcesMade]) }},
		{"restarts", func() error { return setupRestarts(mgr, options) }},
	} {
		if err := controller.setup(); err != nil {
			return fmt.Errorf("setting up %s: %w", controller.what, err)
		}
	}
	return nil
}

// addParts adds what runs beside the controllers, and the metrics.
func addParts(mgr manager.Manager, options Options, writer *copies.Writer) error {
	for _, runnable := range []manager.Runnable{writer, options.Progress} {
		if err := mgr.Add(runnable); err != nil {
			return fmt.Errorf("adding %T: %w", runnable, err)
		}
	}
	for _, collector := range []prometheus.Collector{writer.Collector(), &census{cache: mgr.GetCache()}, options.Progress} {
		if err := options.Registerer.Register(collector); err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

func setupCredentials(mgr manager.Manager, options Options, writer *copies.Writer, watch watches, gate *guard, keeper *kept, counter *users.Counter) error {
	reconciler := &reconciler{
		client:     mgr.GetClient(),
		writer:     writer,
		guard:      gate,
		recorder:   mgr.GetEventRecorder(recorderName),
		retryFloor: options.RetryBase,
		gatherer: gatherer{
			lookup:  watch.lookup,
			users:   counter,
			leavers: &leavers{lookup: watch.lookup, users: counter},
			catalog: options.Catalog,
			clock:   options.Clock,
			kept:    keeper,
			keyring: &copies.Keyring{
				Client:    mgr.GetClient(),
				Reader:    options.APIReader,
				Namespace: options.Catalog.Layout().InstallNamespace,
			},
		},
	}
	build := builder.ControllerManagedBy(mgr).Named("credential").
		WatchesRawSource(watch.onFeed()).
		WatchesRawSource(watch.onNamespaces(gathering)).
		WatchesRawSource(watch.onUsage(counter, reconciler.leavers)).
		WatchesRawSource(watch.onHeartbeat("credential", options)).
		WatchesRawSource(watch.onCopies(mgr.GetCache()))
	for _, c := range watch.sources {
		build = build.WatchesRawSource(watch.onSources(c))
	}
	return build.WithOptions(controllerOptions(options.Workers, logRequest(mgr.GetLogger()))).
		Complete(progress.EndHeartbeats(options.Progress, "credential", progress.Observe(options.Progress, "credential", reconciler)))
}

func setupUsage(mgr manager.Manager, options Options, watch watches, counter users.Counter) error {
	reconciler := &users.Reconciler{
		Counter:     counter,
		Client:      mgr.GetClient(),
		Clock:       options.Clock,
		Interval:    options.UsageInterval,
		LagInterval: options.UsageLag,
	}
	build := builder.ControllerManagedBy(mgr).Named("usage").
		WatchesRawSource(watch.onNamespaces(options.UsageInterval)).
		WatchesRawSource(watch.onHeartbeat("usage", options))
	for _, one := range reconciler.Sources(users.Watches{
		Feed:     options.Feed,
		Copies:   mgr.GetCache(),
		Affected: watch.affected,
		CopyOf:   watch.copyOf,
		All:      watch.all,
	}) {
		build = build.WatchesRawSource(one)
	}
	return build.WithOptions(controllerOptions(options.Workers, logRequest(mgr.GetLogger()))).
		Complete(progress.EndHeartbeats(options.Progress, "usage", progress.Observe(options.Progress, "usage", reconciler)))
}

// onHeartbeat brings heartbeats, and each Credential once in a resync interval. A
// pass over one in order reads its source and writes nothing.
func (w watches) onHeartbeat(controller string, options Options) source.Source {
	return &progress.Heartbeat{
		Monitor:    options.Progress,
		Controller: controller,
		Interval:   options.Heartbeat,
		Resync:     options.Resync,
		All:        w.all,
	}
}

func setupAdoption(mgr manager.Manager, options Options, sources cache.Cache) error {
	return adoption.Setup(mgr, adoption.Options{
		Catalog:    options.Catalog,
		Feed:       options.Feed,
		Sources:    sources,
		APIReader:  options.APIReader,
		Clock:      options.Clock,
		Recorder:   mgr.GetEventRecorder(recorderName),
		Controller: controllerOptions(1, logPlain[reconcile.Request](mgr.GetLogger())),
		Wrap: func(inner reconcile.Reconciler) reconcile.Reconciler {
			return progress.Observe(options.Progress, "source", inner)
		},
	})
}

func setupRestarts(mgr manager.Manager, options Options) error {
	return restart.Setup(mgr, restart.Options{
		Settings:   options.Restart,
		Catalog:    options.Catalog,
		Feed:       options.Feed,
		Index:      options.Usage,
		APIReader:  options.APIReader,
		Clock:      options.Clock,
		Recorder:   mgr.GetEventRecorder(recorderName),
		Registerer: options.Registerer,
		Controller: controllerOptions(2, logWorkload(mgr.GetLogger())),
		Wrap: func(inner reconcile.TypedReconciler[usage.Workload]) reconcile.TypedReconciler[usage.Workload] {
			return progress.Observe(options.Progress, "restart", inner)
		},
	})
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
