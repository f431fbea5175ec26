// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/credence-dev/credence/controller/adoption"
	"github.com/credence-dev/credence/controller/assets"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/controller/progress"
	"github.com/credence-dev/credence/controller/restart"
	"github.com/credence-dev/credence/controller/strays"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/usage"
)

// LeaseName is the name of the controller's Lease, in the install namespace.
const LeaseName = strays.LeaseName

// recorderName is the reporting controller of our events.
const recorderName = "credence-controller"

// Setup adds the controllers to a manager whose cache has CacheOptions. It must
// be called before the manager starts, and its context is needed only until it
// returns.
func Setup(ctx context.Context, mgr manager.Manager, options Options) error {
	if options.Catalog == nil || options.Feed == nil || options.Usage == nil {
		return errors.New("setting up the controllers: Catalog, Feed and Usage are required")
	}
	if err := options.setDefaults(mgr); err != nil {
		return fmt.Errorf("setting up the controllers: %w", err)
	}
	cluster := lookup.Cluster{Cache: mgr.GetCache(), Live: options.APIReader}
	if err := addIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return fmt.Errorf("setting up the controllers: %w", err)
	}
	counter := users.Counter{Index: options.Usage, Catalog: options.Catalog, Feed: options.Feed, Cache: mgr.GetCache()}
	writer := copies.NewWriter(copies.Options{
		Client:      mgr.GetClient(),
		Reader:      options.APIReader,
		Cache:       mgr.GetCache(),
		Clock:       options.Clock,
		Holders:     &holders{Cluster: cluster, users: &counter, pods: options.Pods},
		Drain:       options.Drain,
		Concurrency: options.Concurrency,
		RetryBase:   options.RetryBase,
		RetryMax:    options.RetryMax,
	})
	if err := addParts(mgr, options, writer); err != nil {
		return err
	}
	sources, err := sourceCaches(mgr)
	if err != nil {
		return err
	}
	watch := watches{Cluster: cluster, feed: options.Feed, layout: options.Catalog.Layout(), users: &counter, sources: sources}
	guard := &strays.Guard{
		Live:     options.APIReader,
		Clock:    options.Clock,
		Lease:    types.NamespacedName{Namespace: options.Catalog.Layout().InstallNamespace, Name: LeaseName},
		Release:  options.ReleaseStrays,
		Interval: options.StrayInterval,
	}
	kept := &strays.Kept{Client: mgr.GetClient(), Live: options.APIReader, Lease: guard.Lease}
	for _, controller := range []struct {
		what  string
		setup func() error
	}{
		{"the controller of Credentials", func() error { return setupCredentials(mgr, options, writer, watch, guard, kept, &counter) }},
		{"the controller of the usage", func() error { return setupUsage(mgr, options, watch, counter) }},
		{"the controller of strays", func() error { return setupStrays(mgr, options, writer, cluster, guard, kept) }},
		{"the controller of sources", func() error { return setupAdoption(mgr, options, sources[sourcesMade]) }},
		{"restarts", func() error { return setupRestarts(mgr, options) }},
		{"the controllers of workloads", func() error { return setupWorkloads(ctx, mgr, options) }},
		{"the doctor", func() error { return setupDoctor(mgr, options) }},
		{"the controller of assets", func() error { return setupAssets(mgr, options, &counter) }},
		{"the controller of certificates for data sources", func() error { return setupBundle(mgr, options, cluster) }},
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

func setupCredentials(mgr manager.Manager, options Options, writer *copies.Writer, watch watches, guard *strays.Guard, kept *strays.Kept, counter *users.Counter) error {
	reconciler := &reconciler{
		client:     mgr.GetClient(),
		writer:     writer,
		guard:      guard,
		recorder:   mgr.GetEventRecorder(recorderName),
		retryFloor: options.RetryBase,
		gatherer: gatherer{
			Cluster: watch.Cluster,
			users:   counter,
			leavers: &leavers{Cluster: watch.Cluster, users: counter},
			catalog: options.Catalog,
			clock:   options.Clock,
			kept:    kept,
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
		WatchesRawSource(watch.onAssets(counter)).
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
		Elsewhere:   watch.makesCopies,
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

func setupStrays(mgr manager.Manager, options Options, writer *copies.Writer, cluster lookup.Cluster, guard *strays.Guard, kept *strays.Kept) error {
	return strays.Setup(mgr, strays.Options{
		Catalog:    options.Catalog,
		Feed:       options.Feed,
		Cluster:    cluster,
		Guard:      guard,
		Kept:       kept,
		Writer:     writer,
		Clock:      options.Clock,
		Patience:   options.StrayInterval,
		Recorder:   mgr.GetEventRecorder(recorderName),
		Registerer: options.Registerer,
		Controller: controllerOptions(1, logPlain[strays.Session](mgr.GetLogger())),
		Wrap: func(inner reconcile.TypedReconciler[strays.Session]) reconcile.TypedReconciler[strays.Session] {
			return progress.Observe(options.Progress, "stray", inner)
		},
	})
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

func setupAssets(mgr manager.Manager, options Options, counter *users.Counter) error {
	return assets.Setup(mgr, assets.Options{
		Counter:    counter,
		Feed:       options.Feed,
		Clock:      options.Clock,
		Recorder:   mgr.GetEventRecorder(recorderName),
		Interval:   options.UsageInterval,
		Resync:     options.Resync,
		Controller: controllerOptions(2, logAsset(mgr.GetLogger())),
		Wrap: func(inner reconcile.TypedReconciler[catalog.Object]) reconcile.TypedReconciler[catalog.Object] {
			return progress.Observe(options.Progress, "asset", inner)
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
