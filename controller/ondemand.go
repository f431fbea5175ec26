// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/controller/users"
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
		used.Insert(g.users.Index.Users(g.users.Query(o.credential)).Namespaces...)
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
				return w.Cache.Get(ctx, r.NamespacedName, &c, lookup.Shared) == nil && !onDemand(&c) && !leavers.isNews(ctx, &c, "")
			})
		})
}

// turns says whether a namespace needs a copy that it does not have, or the other
// way round. One that the status says is waited for counts as one that is there:
// that wait has an end of its own. What is not seen here because a pass is under
// way shows when that pass is over, for it then changes the status or a copy.
func (w watches) turns(ctx context.Context, counter *users.Counter, key client.ObjectKey, namespace string) bool {
	var c v1alpha1.Credential
	if err := w.Cache.Get(ctx, key, &c, lookup.Shared); err != nil || !onDemand(&c) || !c.DeletionTimestamp.IsZero() {
		return false
	}
	query := users.Ask(&c, namespace)
	used := counter.Index.IsUsed(query)
	copied := w.Cache.Get(ctx, types.NamespacedName{Namespace: namespace, Name: query.Secret}, copies.Secret(), lookup.Shared) == nil
	expected := slices.Contains(c.Status.PendingNamespaces, namespace) || slices.Contains(c.Status.TakenNamespaces, namespace)
	return used != (copied || expected)
}
