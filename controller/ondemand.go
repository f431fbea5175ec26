// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/usage"
)

func onDemand(c *v1alpha1.Credential) bool {
	return c.Spec.Propagation == v1alpha1.PropagateOnDemand && c.Spec.Scope.Level != v1alpha1.ScopeProject
}

// leaveOut marks the projects that get no copy on demand. As long as it is not
// known who uses the credential, what there is stays, what was under way goes on,
// and nothing else begins.
func (g *gatherer) leaveOut(o *observation, existing []copies.Copy) {
	if !onDemand(o.credential) {
		return
	}
	used := sets.New[string]()
	if g.users.Index.Synced() {
		used.Insert(g.users.NamespacesOf(o.credential)...)
	} else {
		for _, c := range existing {
			used.Insert(c.Namespace)
		}
		if status := &o.credential.Status; status.ObservedGeneration == o.credential.Generation {
			used.Insert(slices.Concat(status.PendingNamespaces, status.TakenNamespaces)...)
		}
	}
	for i := range o.projects {
		o.projects[i].unused = !used.Has(o.projects[i].namespace)
	}
}

// onUsage brings the credentials whose copies are made on demand where that
// changes: all once it is known who uses what, and then those that a namespace
// began or ceased to use. And those of which there is news about leavers.
func (w watches) onUsage(counter *users.Counter, leavers *leavers) source.Source {
	return users.OnIndex(counter.Index,
		func(ctx context.Context, change usage.Change) []ctrl.Request {
			turning := counter.Requests(ctx, change, func(key client.ObjectKey) bool {
				return w.turns(ctx, counter, key, change.Namespace)
			})
			return append(turning, leavers.concerned(ctx, change)...)
		},
		func(ctx context.Context) []ctrl.Request {
			return slices.DeleteFunc(w.requests(ctx), func(r ctrl.Request) bool {
				var c v1alpha1.Credential
				return w.Cache.Get(ctx, r.NamespacedName, &c, lookup.Shared) == nil && c.DeletionTimestamp.IsZero() &&
					!onDemand(&c) && !leavers.isNews(ctx, &c, "")
			})
		})
}

// onAssets brings the credentials whose copies are made on demand where a change of an
// asset may change who uses them. That is seldom, so they are not looked at before.
func (w watches) onAssets(counter *users.Counter) source.Source {
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
		w.feed.Notify(func(change feed.Change) {
			for id := range counter.ConcernedBy(change) {
				var c v1alpha1.Credential
				if id.Kind == asset.Credential && w.Cache.Get(ctx, id.NamespacedName, &c, lookup.Shared) == nil &&
					(onDemand(&c) || !c.DeletionTimestamp.IsZero()) {
					queue.Add(ctrl.Request{NamespacedName: id.NamespacedName})
				}
			}
		})
		return nil
	})
}

// turns says whether a namespace needs a copy that it does not have, or the other
// way round. One that the status says is waited for counts as one that is there: that
// wait has an end of its own. A credential that is being deleted waits for every
// change of its users. What is not seen here because a pass is under way shows when
// that pass is over, for it then changes the status or a copy.
func (w watches) turns(ctx context.Context, counter *users.Counter, key client.ObjectKey, namespace string) bool {
	var c v1alpha1.Credential
	if err := w.Cache.Get(ctx, key, &c, lookup.Shared); err != nil {
		return false
	}
	if !c.DeletionTimestamp.IsZero() || !onDemand(&c) {
		return !c.DeletionTimestamp.IsZero()
	}
	used := counter.Index.IsUsed(counter.AskIn(&c, namespace)...)
	copied := w.Cache.Get(ctx, types.NamespacedName{Namespace: namespace, Name: credential.KubernetesName(&c)}, copies.Secret(), lookup.Shared) == nil
	expected := slices.Contains(c.Status.PendingNamespaces, namespace) || slices.Contains(c.Status.TakenNamespaces, namespace)
	return used != (copied || expected)
}

// makesCopies says whether copies of a credential are being made because namespaces
// began to use it. Who uses it is told in one write with them.
func (w watches) makesCopies(ctx context.Context, c *v1alpha1.Credential) bool {
	if !onDemand(c) || !c.DeletionTimestamp.IsZero() || c.Status.ObservedGeneration != c.Generation ||
		!meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionReady) {
		return false
	}
	ending, err := w.Terminating(ctx)
	if err != nil {
		return false
	}
	used := slices.DeleteFunc(w.users.NamespacesOf(c), func(namespace string) bool { return ending[namespace] })
	return len(used) > int(c.Status.Namespaces.Desired)
}
