// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"context"
	"errors"
	"fmt"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Setup adds rotator, and publisher unless it is nil, to a manager, to run on the leader only, and fills in the fields that
// they leave empty. Secrets watches the CA Secret, so the manager's cache needs no informer on Secrets; it does get one on each
// kind of webhook configuration. Setup fails if the settings cannot work.
func Setup(mgr manager.Manager, secrets kubernetes.Interface, rotator *Rotator, publisher *Publisher) error {
	if rotator.Secret.Namespace == "" || rotator.Secret.Name == "" {
		return errors.New("setting up certificate rotation: namespace and name of the CA Secret must be set")
	}
	if err := rotator.Settings.Validate(); err != nil {
		return fmt.Errorf("setting up certificate rotation: %w", err)
	}
	// One informer for both. Every replica runs it, so a new leader starts with it warm.
	informer := secretInformer(secrets, rotator.Secret)
	if err := mgr.Add(everywhere(func(ctx context.Context) error { informer.RunWithContext(ctx); return nil })); err != nil {
		return fmt.Errorf("watching CA Secret %s: %w", rotator.Secret, err)
	}
	if publisher != nil {
		if err := setupPublisher(mgr, informer, rotator, publisher); err != nil {
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

func setupPublisher(mgr manager.Manager, informer cache.SharedIndexInformer, r *Rotator, p *Publisher) error {
	if p.Client == nil {
		p.Client = mgr.GetClient()
	}
	if p.Reader == nil {
		p.Reader = mgr.GetAPIReader()
	}
	if p.Secret.Name == "" {
		p.Secret = r.Secret
	}
	if r.Publications == nil {
		r.Publications = p
	}
	request := reconcile.Request{NamespacedName: p.Secret}
	selected := builder.WithPredicates(predicate.NewPredicateFuncs(p.selects))
	return builder.ControllerManagedBy(mgr).
		Named(p.Secret.Name+"-publisher").
		Watches(&admissionregistrationv1.MutatingWebhookConfiguration{}, always(request), selected).
		Watches(&admissionregistrationv1.ValidatingWebhookConfiguration{}, always(request), selected).
		WatchesRawSource(&source.Informer{Informer: informer, Handler: always(request)}).
		WithOptions(controllerOptions()).
		Complete(p)
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
