// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/usage"
)

// Watches map what happens in the cluster to the Credentials that it concerns.
type Watches struct {
	Feed *feed.Feed
	// Copies is the cache that has them.
	Copies cache.Cache
	// Affected are those that a change of a Credential concerns, CopyOf those of a
	// copy, All all of them.
	Affected func(context.Context, feed.Change) []ctrl.Request
	CopyOf   func(context.Context, *metav1.PartialObjectMetadata) []ctrl.Request
	All      func(context.Context) []ctrl.Request
}

// Sources bring a Reconciler the Credentials whose users may have changed.
func (r *Reconciler) Sources(watch Watches) []source.Source {
	concerned := func(ctx context.Context, change usage.Change) []ctrl.Request {
		return r.Requests(ctx, change, nil)
	}
	return []source.Source{
		OnIndex(r.Index, concerned, watch.All),
		onFeed(watch.Feed, r.Interval, watch.Affected),
		onAssets(watch.Feed, r.Interval, &r.Counter),
		onCopies(watch.Copies, r.LagInterval, watch.CopyOf),
	}
}

// Requests are for the Credentials that a change of the index concerns, and that a
// filter keeps. Without a filter it is for all of them.
func (c *Counter) Requests(ctx context.Context, change usage.Change, keep func(client.ObjectKey) bool) []ctrl.Request {
	keys, err := c.Concerned(ctx, change)
	if err != nil {
		log.FromContext(ctx).Error(err, "Could not find out whom a change of the usage concerns")
		return nil
	}
	var requests []ctrl.Request
	for _, key := range keys {
		if keep == nil || keep(key) {
			requests = append(requests, ctrl.Request{NamespacedName: key})
		}
	}
	return requests
}
