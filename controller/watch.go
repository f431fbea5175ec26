// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/feed"
)

// watches maps what happens in the cluster to the Credentials that it concerns.
type watches struct {
	lookup.Cluster
	feed   *feed.Feed
	layout credential.Layout
	// users knows what assets give.
	users *users.Counter
	// sources are the caches of Secrets that may be sources.
	sources []cache.Cache
}

type metadata = metav1.PartialObjectMetadata

// onSources brings the Credentials whose source changed.
func (w watches) onSources(c cache.Cache) source.Source {
	return source.Kind(c, copies.Secret(), handler.TypedEnqueueRequestsFromMapFunc(func(ctx context.Context, secret *metadata) []ctrl.Request {
		return w.requests(ctx, client.InNamespace(secret.Namespace), client.MatchingFields{lookup.IndexSource: secret.Name})
	}))
}

// onCopies brings the Credentials whose copy changed, and those that wait for the
// copy of another of their name to go.
func (w watches) onCopies(c cache.Cache) source.Source {
	return source.Kind(c, copies.Secret(), handler.TypedEnqueueRequestsFromMapFunc(w.copyOf))
}

func (w watches) copyOf(ctx context.Context, secret *metadata) []ctrl.Request {
	return w.requests(ctx, client.MatchingFields{lookup.IndexName: secret.Labels[v1alpha1.LabelCopyOf]})
}

func (w watches) requests(ctx context.Context, options ...client.ListOption) []ctrl.Request {
	list, err := w.Credentials(ctx, options...)
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

// onFeed brings the Credentials themselves, and those that another one concerns.
// It comes by way of the feed, so that the catalog already knows, and holds the
// workers back until the catalog is complete.
func (w watches) onFeed() source.SyncingSource {
	return &feed.Source[ctrl.Request]{
		Feed:     w.feed,
		Affected: w.affected,
		Initial:  w.all,
	}
}

func (w watches) all(ctx context.Context) []ctrl.Request { return w.requests(ctx) }

// affected returns the Credentials that a change of a Credential concerns. Who uses
// a credential concerns no other part of it: pods come and go all the time.
func (w watches) affected(ctx context.Context, change feed.Change) []ctrl.Request {
	if users.IsOnlyAboutUsers(change) {
		return nil
	}
	var requests []ctrl.Request
	for _, object := range []client.Object{change.Before, change.After} {
		if c, ok := object.(*v1alpha1.Credential); ok {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(c)})
			if !change.OnlyStatus() {
				requests = append(requests, w.requests(ctx, client.MatchingFields{lookup.IndexName: c.Name})...)
				requests = append(requests, w.requests(ctx, client.InNamespace(c.Namespace), client.MatchingFields{lookup.IndexSource: c.Spec.SecretRef.Name})...)
			}
		}
	}
	return requests
}
