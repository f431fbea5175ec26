// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/feed"
)

// watches maps what happens in the cluster to the Credentials that it concerns.
type watches struct {
	lookup
	feed   *feed.Feed
	layout credential.Layout
	// sources are the caches of Secrets that may be sources.
	sources []cache.Cache
}

type metadata = metav1.PartialObjectMetadata

// onSources brings the Credentials whose source changed.
func (w watches) onSources(c cache.Cache) source.Source {
	return source.Kind(c, copies.Secret(), handler.TypedEnqueueRequestsFromMapFunc(func(ctx context.Context, secret *metadata) []ctrl.Request {
		return w.requests(ctx, client.InNamespace(secret.Namespace), client.MatchingFields{indexSource: secret.Name})
	}))
}

// onCopies brings the Credentials whose copy changed, and those that wait for the
// copy of another of their name to go.
func (w watches) onCopies(c cache.Cache) source.Source {
	return source.Kind(c, copies.Secret(), handler.TypedEnqueueRequestsFromMapFunc(w.copyOf))
}

func (w watches) copyOf(ctx context.Context, secret *metadata) []ctrl.Request {
	return w.requests(ctx, client.MatchingFields{indexName: secret.Labels[v1alpha1.LabelCopyOf]})
}

func (w watches) requests(ctx context.Context, options ...client.ListOption) []ctrl.Request {
	list, err := w.credentials(ctx, options...)
	if err != nil {
		log.FromContext(ctx).Error(err, "Could not find out whom an event concerns")
		return nil
	}
	requests := make([]ctrl.Request, len(list))
	for i := range list {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&list[i])
	}
	return requests
}

// onFeed brings the Credentials themselves, and those that another one or a
// namespace concerns. It comes by way of the feed, so that the catalog already
// knows, and holds the workers back until the catalog is complete.
func (w watches) onFeed() source.SyncingSource {
	return &feedSource[ctrl.Request]{
		feed:     w.feed,
		affected: w.affected,
		initial:  w.all,
	}
}

func (w watches) all(ctx context.Context) []ctrl.Request { return w.requests(ctx) }

// affected returns the Credentials that a change of a Credential or a namespace
// concerns. Who uses a credential concerns no other part of it: pods come and go
// all the time.
func (w watches) affected(ctx context.Context, change feed.Change) []ctrl.Request {
	if users.IsOnlyAboutUsers(change) {
		return nil
	}
	var requests []ctrl.Request
	for _, object := range []client.Object{change.Before, change.After} {
		if c, ok := object.(*v1alpha1.Credential); ok {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(c)})
			if !onlyStatus(change) {
				requests = append(requests, w.requests(ctx, client.MatchingFields{indexName: c.Name})...)
				requests = append(requests, w.requests(ctx, client.InNamespace(c.Namespace), client.MatchingFields{indexSource: c.Spec.SecretRef.Name})...)
			}
		}
	}
	if before, after, ok := w.namespaceChange(change); ok {
		requests = append(requests, w.concernedBy(ctx, before, after)...)
	}
	return requests
}

func onlyStatus(change feed.Change) bool {
	return change.Before != nil && change.After != nil && change.Before.GetUID() == change.After.GetUID() &&
		change.Before.GetGeneration() == change.After.GetGeneration()
}

// namespaceChange says what a namespace was and is to Credence, and false if that
// is the same.
func (w watches) namespaceChange(change feed.Change) (before, after credential.Place, changed bool) {
	old, _ := change.Before.(*metadata)
	now, _ := change.After.(*metadata)
	if old != nil {
		before = w.layout.Place(old.Name, old.Labels)
	}
	if now != nil {
		after = w.layout.Place(now.Name, now.Labels)
	}
	ending := old != nil && now != nil && old.DeletionTimestamp.IsZero() && !now.DeletionTimestamp.IsZero()
	return before, after, before != after || ending
}

// concernedBy returns the Credentials that live in a namespace, or reached it or
// reach it now.
func (w watches) concernedBy(ctx context.Context, before, after credential.Place) []ctrl.Request {
	all, err := w.credentials(ctx)
	if err != nil {
		log.FromContext(ctx).Error(err, "Could not find out whom a namespace concerns")
		return nil
	}
	var requests []ctrl.Request
	for i := range all {
		scope, lives := all[i].Spec.Scope, all[i].Namespace
		// Whether a scope fits the place its object lives in does not matter here.
		reaches := scope.Level == v1alpha1.ScopeCluster ||
			scope.Level == v1alpha1.ScopeDepartment && (scope.Department == before.Department || scope.Department == after.Department)
		if reaches || lives == before.Namespace || lives == after.Namespace {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&all[i])})
		}
	}
	return requests
}

// feedSource puts into a queue what changes of the feed concern.
type feedSource[request comparable] struct {
	feed     *feed.Feed
	affected func(context.Context, feed.Change) []request
	initial  func(context.Context) []request

	queue workqueue.TypedRateLimitingInterface[request]
}

var _ source.SyncingSource = (*feedSource[ctrl.Request])(nil)

// Start implements source.Source.
func (s *feedSource[request]) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[request]) error {
	s.queue = queue
	s.feed.Notify(func(change feed.Change) { s.add(s.affected(ctx, change)) })
	return nil
}

// WaitForSync implements source.SyncingSource. What was there before Start did
// not come as a change, so it is brought here, once everything is known.
func (s *feedSource[request]) WaitForSync(ctx context.Context) error {
	err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(context.Context) (bool, error) {
		return s.feed.Synced(), nil
	})
	if errors.Is(ctx.Err(), context.Canceled) { // the process is stopping
		return nil
	}
	if err != nil {
		return fmt.Errorf("waiting for the catalog: %w", err)
	}
	s.add(s.initial(ctx))
	return nil
}

func (s *feedSource[request]) add(requests []request) {
	for _, r := range requests {
		s.queue.Add(r)
	}
}
