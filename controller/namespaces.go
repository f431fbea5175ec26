// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/feed"
)

// gathering is how long changes of namespaces are collected: each concerns all of a
// cluster's credentials, and they come in numbers.
const gathering = 200 * time.Millisecond

// onNamespaces brings, after a delay, the Credentials that changes of namespaces
// concern. Many of them within the delay concern each Credential once.
func (w watches) onNamespaces(delay time.Duration) source.Source {
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
		changes := collector{delay: delay, flush: func(places []credential.Place) {
			for _, request := range w.concernedBy(ctx, places...) {
				queue.Add(request)
			}
		}}
		w.feed.Notify(func(change feed.Change) {
			if before, after, changed := w.namespaceChange(change); changed && ctx.Err() == nil {
				changes.add(before, after)
			}
		})
		return nil
	})
}

// collector flushes places a moment after the first of them came.
type collector struct {
	delay time.Duration
	flush func([]credential.Place)

	mu     sync.Mutex
	places []credential.Place
}

func (c *collector) add(places ...credential.Place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.places) == 0 {
		time.AfterFunc(c.delay, c.take)
	}
	c.places = append(c.places, places...)
}

func (c *collector) take() {
	c.mu.Lock()
	places := c.places
	c.places = nil
	c.mu.Unlock()
	c.flush(places)
}

// namespaceChange says what a namespace was and is to Credence, and false if that
// is the same. One that was being deleted has lost its part before it is gone.
func (w watches) namespaceChange(change feed.Change) (before, after credential.Place, changed bool) {
	old, _ := change.Before.(*metadata)
	now, _ := change.After.(*metadata)
	if old != nil {
		before = w.layout.Place(old.Name, old.Labels)
	}
	if now != nil {
		after = w.layout.Place(now.Name, now.Labels)
	}
	switch {
	case old != nil && now != nil: // maybe another of its name, if the watch was down
		changed = before != after || old.UID != now.UID || isEnding(old) != isEnding(now)
	case old != nil:
		changed = !isEnding(old)
	default:
		changed = now != nil
	}
	return before, after, changed
}

func isEnding(namespace *metadata) bool { return !namespace.DeletionTimestamp.IsZero() }

// concernedBy returns the Credentials that live in places, reach them, are shadowed by
// what lives there, are given by assets there, or were left by one of them: what
// namespaces were and are.
// Whether a scope fits the place its object lives in does not matter here.
func (w watches) concernedBy(ctx context.Context, places ...credential.Place) []ctrl.Request {
	all, err := w.Credentials(ctx)
	if err != nil {
		log.FromContext(ctx).Error(err, "Could not find out whom a namespace concerns")
		return nil
	}
	in := partsOf(places)
	rivals := w.users.GivenIn(in.namespaces) // and names of what lives in homes
	for i := range all {
		if in.homes.Has(all[i].Namespace) {
			rivals.Insert(all[i].Name)
		}
	}
	var requests []ctrl.Request
	for i := range all {
		if in.reached(all[i].Spec.Scope) || in.namespaces.Has(all[i].Namespace) || rivals.Has(all[i].Name) || in.left(&all[i]) {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&all[i])})
		}
	}
	return requests
}

// parts are what places have a part in. The empty department is that of projects
// without one.
type parts struct{ namespaces, homes, departments sets.Set[string] }

func partsOf(places []credential.Place) parts {
	in := parts{sets.New[string](), sets.New[string](), sets.New[string]()}
	for _, place := range places {
		in.namespaces.Insert(place.Namespace)
		if place.Home != "" {
			in.homes.Insert(place.Namespace)
		}
		if place.IsProject() {
			in.departments.Insert(place.Department)
		}
	}
	return in
}

// reached says whether a scope has any of the projects.
func (p parts) reached(scope v1alpha1.Scope) bool {
	return scope.Level == v1alpha1.ScopeCluster && len(p.departments) > 0 ||
		scope.Level == v1alpha1.ScopeDepartment && p.departments.Has(scope.Department)
}

// left says whether a status tells of one of the namespaces that it left the scope.
// How to mend that depends on all of its labels.
func (p parts) left(c *v1alpha1.Credential) bool {
	return slices.ContainsFunc(saidToLeave(c), func(issue v1alpha1.NamespaceIssue) bool { return p.namespaces.Has(issue.Namespace) })
}
