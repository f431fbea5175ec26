// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/usage"
)

type queue = workqueue.TypedRateLimitingInterface[ctrl.Request]

// OnIndex brings what a change of the index concerns, and everything once when the
// index is complete. It holds nobody up until then: an index that never gets there
// must not keep credentials from being spread.
func OnIndex[request comparable](index Index, affected func(context.Context, usage.Change) []request, all func(context.Context) []request) source.TypedSource[request] {
	return source.TypedFunc[request](func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[request]) error {
		index.Notify(func(change usage.Change) {
			if ctx.Err() == nil && index.Synced() {
				add(queue, affected(ctx, change))
			}
		})
		go func() {
			if wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(context.Context) (bool, error) {
				return index.Synced(), nil
			}) == nil {
				add(queue, all(ctx))
			}
		}()
		return nil
	})
}

// onFeed brings the Credentials whose status says anything else of their users
// than it did, whoever wrote that, and with a delay those whose scope may have
// changed: the controller of Credentials counts their users too, and has the first
// word.
func onFeed(from *feed.Feed, delay time.Duration, affected func(context.Context, feed.Change) []ctrl.Request) source.Source {
	return source.Func(func(ctx context.Context, queue queue) error {
		from.Notify(func(change feed.Change) {
			before, _ := change.Before.(*v1alpha1.Credential)
			after, _ := change.After.(*v1alpha1.Credential)
			if before != nil && after != nil && Compare(&before.Status, &after.Status) != Same {
				queue.Add(ctrl.Request{NamespacedName: client.ObjectKeyFromObject(after)})
			}
			for _, request := range affected(ctx, change) {
				queue.AddAfter(request, delay)
			}
		})
		return nil
	})
}

// onAssets brings, with a delay, the Credentials whose users a change of an asset may
// change.
func onAssets(from *feed.Feed, delay time.Duration, counter *Counter) source.Source {
	return source.Func(func(_ context.Context, queue queue) error {
		from.Notify(func(change feed.Change) {
			for _, key := range credentialsAmong(counter.ConcernedBy(change)) {
				queue.AddAfter(ctrl.Request{NamespacedName: key}, delay)
			}
		})
		return nil
	})
}

// onCopies brings, with a delay, the Credentials of copies whose values changed,
// for that decides which pods have old ones.
func onCopies(c cache.Cache, delay time.Duration, of func(context.Context, *metav1.PartialObjectMetadata) []ctrl.Request) source.Source {
	return source.Kind(c, copies.Secret(), handler.TypedFuncs[*metav1.PartialObjectMetadata, ctrl.Request]{
		UpdateFunc: func(ctx context.Context, e event.TypedUpdateEvent[*metav1.PartialObjectMetadata], queue queue) {
			const at = v1alpha1.AnnotationRotatedAt
			if e.ObjectOld.Annotations[at] == e.ObjectNew.Annotations[at] {
				return
			}
			for _, request := range of(ctx, e.ObjectNew) {
				queue.AddAfter(request, delay)
			}
		},
	})
}

func add[request comparable](to workqueue.TypedRateLimitingInterface[request], requests []request) {
	for _, request := range requests {
		to.Add(request)
	}
}

// IsOnlyAboutUsers says whether a change of a Credential is one of what this
// package owns of its status, and of nothing else.
func IsOnlyAboutUsers(change feed.Change) bool {
	before, was := change.Before.(*v1alpha1.Credential)
	after, is := change.After.(*v1alpha1.Credential)
	if !was || !is || Compare(&before.Status, &after.Status) == Same {
		return false
	}
	old, now := before.ObjectMeta.DeepCopy(), after.ObjectMeta.DeepCopy()
	old.ResourceVersion, now.ResourceVersion = "", ""
	return equality.Semantic.DeepEqual(old, now) && equality.Semantic.DeepEqual(before.Spec, after.Spec) &&
		equality.Semantic.DeepEqual(Others(&before.Status), Others(&after.Status))
}
