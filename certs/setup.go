// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	admissioninformers "k8s.io/client-go/informers/admissionregistration/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Setup adds rotator, and publisher unless it is nil, to a manager, to run on the leader only, and fills in the fields that
// they leave empty. Objects watches the CA Secret and our webhook configurations, each by name, so the manager's cache needs no
// informer on any of these kinds. Setup fails if the settings cannot work.
func Setup(mgr manager.Manager, objects kubernetes.Interface, rotator *Rotator, publisher *Publisher) error {
	if rotator.Secret.Namespace == "" || rotator.Secret.Name == "" {
		return errors.New("setting up certificate rotation: namespace and name of the CA Secret must be set")
	}
	if err := rotator.Settings.Validate(); err != nil {
		return fmt.Errorf("setting up certificate rotation: %w", err)
	}
	// One informer for both. Every replica runs it, so a new leader starts with it warm.
	informer := secretInformer(objects, rotator.Secret)
	if err := runInformer(mgr, informer); err != nil {
		return fmt.Errorf("watching CA Secret %s: %w", rotator.Secret, err)
	}
	if publisher != nil {
		if err := setupPublisher(mgr, objects, informer, rotator, publisher); err != nil {
			return fmt.Errorf("setting up the publication of CA Secret %s: %w", rotator.Secret, err)
		}
	}
	if err := setupRotator(mgr, informer, rotator); err != nil {
		return fmt.Errorf("setting up the rotation of CA Secret %s: %w", rotator.Secret, err)
	}
	return nil
}

func setupRotator(mgr manager.Manager, informer cache.SharedIndexInformer, r *Rotator) error {
	if r.Client == nil {
		r.Client = mgr.GetClient()
	}
	if r.Reader == nil {
		r.Reader = mgr.GetAPIReader()
	}
	if r.Events == nil {
		r.Events = mgr.GetEventRecorder("credence-certs")
	}
	request := reconcile.Request{NamespacedName: r.Secret}
	// A Secret that does not exist yet causes no event, so the first look needs a push.
	start := source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		queue.Add(request)
		return nil
	})
	return builder.ControllerManagedBy(mgr).
		Named(r.Secret.Name + "-rotator").
		WatchesRawSource(start).
		WatchesRawSource(&source.Informer{Informer: informer, Handler: always(request)}).
		WithOptions(controllerOptions()).
		Complete(r)
}

// SetupPublisher adds a publisher of files to a manager, to run on the leader only, and fills in the fields that it leaves
// empty. It is for certificates that somebody else makes, so there is no Rotator. Objects watches our webhook configurations,
// each by name.
func SetupPublisher(mgr manager.Manager, objects kubernetes.Interface, publisher *Publisher) error {
	if len(publisher.Files) == 0 {
		return errors.New("setting up the publication of CAs: no files are named")
	}
	if err := addPublisher(mgr, objects, publisher, "ca-files", watchFiles(publisher.Files, filesInterval)); err != nil {
		return fmt.Errorf("setting up the publication of %s: %w", publisher.from(), err)
	}
	return nil
}

func setupPublisher(mgr manager.Manager, objects kubernetes.Interface, informer cache.SharedIndexInformer, r *Rotator, p *Publisher) error {
	if p.Secret.Name == "" {
		p.Secret = r.Secret
	}
	if r.Publications == nil {
		r.Publications = p
	}
	return addPublisher(mgr, objects, p, p.Secret.Name, &source.Informer{Informer: informer, Handler: always(reconcile.Request{})})
}

// addPublisher adds p, called after what it publishes, whose changes bundles tells of.
func addPublisher(mgr manager.Manager, objects kubernetes.Interface, p *Publisher, name string, bundles source.Source) error {
	if p.Client == nil {
		p.Client = mgr.GetClient()
	}
	if p.Reader == nil {
		p.Reader = mgr.GetAPIReader()
	}
	build := builder.ControllerManagedBy(mgr).
		Named(name + "-publisher").
		WatchesRawSource(bundles).
		WithOptions(controllerOptions())
	for _, informer := range p.informers(objects) {
		if err := runInformer(mgr, informer); err != nil {
			return fmt.Errorf("watching webhook configurations: %w", err)
		}
		build = build.WatchesRawSource(&source.Informer{Informer: informer, Handler: always(reconcile.Request{})})
	}
	return build.Complete(p)
}

// informers watch the configurations, and ask for no right on those of others.
func (p *Publisher) informers(objects kubernetes.Interface) []cache.SharedIndexInformer {
	var informers []cache.SharedIndexInformer
	for _, name := range slices.Concat(p.names(), p.Mutating) {
		informers = append(informers, admissioninformers.NewFilteredMutatingWebhookConfigurationInformer(objects, 0, cache.Indexers{}, named(name)))
	}
	for _, name := range p.names() {
		informers = append(informers, admissioninformers.NewFilteredValidatingWebhookConfigurationInformer(objects, 0, cache.Indexers{}, named(name)))
	}
	return informers
}

// runInformer has every replica run an informer.
func runInformer(mgr manager.Manager, informer cache.SharedIndexInformer) error {
	return mgr.Add(everywhere(func(ctx context.Context) error { informer.RunWithContext(ctx); return nil }))
}

func controllerOptions() controller.Options {
	return controller.Options{
		// The default begins with 5 ms, a storm when the API server is what fails, and ends with a quarter of an hour, which is
		// long for a bundle that nobody trusts without.
		RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](200*time.Millisecond, 30*time.Second),
		// There is one request, so nothing to prioritize, and the priority queue has stopped reconciling (external-secrets#6053).
		UsePriorityQueue: new(false),
		// Longer than any pass takes, and short enough to get over a connection that hangs.
		ReconciliationTimeout: time.Minute,
	}
}

// always answers every event with the same request.
func always(request reconcile.Request) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{request}
	})
}

// everywhere is a manager.Runnable that needs no leadership.
type everywhere func(context.Context) error

// Start implements manager.Runnable.
func (e everywhere) Start(ctx context.Context) error { return e(ctx) }

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (e everywhere) NeedLeaderElection() bool { return false }
