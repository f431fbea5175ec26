// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/usage"
)

// watches maps what happens in the cluster to the assets that it concerns.
type watches struct {
	counter *users.Counter
	feed    *feed.Feed
}

// onFeed brings assets that changed, and those that a change of another object
// concerns. It holds the workers back until the catalog is complete: to half a one,
// half of all references do not resolve.
func (w watches) onFeed() source.TypedSyncingSource[catalog.Object] {
	return &feed.Source[catalog.Object]{Feed: w.feed, Affected: w.affected, Initial: w.all}
}

// onIndex brings the assets whose users may have changed.
func (w watches) onIndex() source.TypedSource[catalog.Object] {
	return users.OnIndex(w.counter.Index, func(_ context.Context, change usage.Change) []catalog.Object {
		return assetsAmong(w.counter.ConcernedAssets(change))
	}, w.all)
}

// onResync brings all assets at intervals although nothing happened.
func (w watches) onResync(interval time.Duration) source.TypedSource[catalog.Object] {
	return source.TypedFunc[catalog.Object](func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[catalog.Object]) error {
		go wait.JitterUntilWithContext(ctx, func(ctx context.Context) {
			for _, id := range w.all(ctx) {
				queue.Add(id)
			}
		}, interval, 0.1, true)
		return nil
	})
}

func (w watches) all(context.Context) (ids []catalog.Object) {
	for _, a := range w.counter.Catalog.Assets() {
		ids = append(ids, catalog.IDOf(a))
	}
	return ids
}

// affected are the assets that a change concerns.
func (w watches) affected(ctx context.Context, change feed.Change) []catalog.Object {
	if w.isPlace(change) {
		return w.all(ctx)
	}
	concerned := w.counter.ConcernedBy(change).Clone()
	for _, object := range []client.Object{change.Before, change.After} {
		switch o := object.(type) {
		case nil, *metav1.PartialObjectMetadata:
		case *v1alpha1.Credential:
			if w.addNaming(asset.Credential, o.Name, concerned); len(concerned) > 0 && users.IsOnlyAboutUsers(change) {
				return nil
			}
		default:
			if a := asset.New(object); a != nil {
				concerned.Insert(catalog.IDOf(a))
				if !change.OnlyStatus() {
					w.addNaming(a.Kind, a.Name, concerned)
				}
			}
		}
	}
	return assetsAmong(concerned)
}

// addNaming adds the assets that refer to a name of a kind, whatever it means to
// them, and those that refer to these: what is wrong with something is also wrong
// with what gives it on.
func (w watches) addNaming(kind asset.Kind, name string, to sets.Set[catalog.Object]) {
	for _, a := range w.counter.Catalog.Naming(kind, name) {
		if id := catalog.IDOf(a); !to.Has(id) {
			to.Insert(id)
			w.addNaming(a.Kind, a.Name, to)
		}
	}
}

// isPlace says whether a change makes another place of a namespace. There are few
// assets, and what each of them sees may depend on it.
func (w watches) isPlace(change feed.Change) bool {
	before, was := change.Before.(*metav1.PartialObjectMetadata)
	after, is := change.After.(*metav1.PartialObjectMetadata)
	if !was || !is {
		return was || is
	}
	layout := w.counter.Catalog.Layout()
	return layout.Place(before.Name, before.Labels) != layout.Place(after.Name, after.Labels)
}

func assetsAmong(objects sets.Set[catalog.Object]) (ids []catalog.Object) {
	for id := range objects {
		if id.Kind != asset.Credential {
			ids = append(ids, id)
		}
	}
	return ids
}
