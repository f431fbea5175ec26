// SPDX-License-Identifier: Apache-2.0

// Package feed keeps a catalog in step with a cluster, by informers on Credentials,
// on assets and on the metadata of namespaces.
//
// It decides nothing. It must not import the injector, webhooks or reconcilers.
package feed

import (
	"context"
	"fmt"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
)

// Namespace returns an empty object of the kind that stands for namespaces in
// our caches: their metadata, which is all that Credence reads of them.
func Namespace() *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}}
}

// Feed is a catalog that follows a cluster.
type Feed struct {
	synced []toolscache.InformerSynced

	mu        sync.Mutex
	listeners []func(Change)
}

// Change is what happened to a Credential, an asset or the metadata of a namespace:
// Before is nil if it is new, After if it is gone.
type Change struct {
	Before, After client.Object
}

// OnlyStatus says whether an object is the same but for what counts no generation:
// its status and its metadata.
func (c Change) OnlyStatus() bool {
	return c.Before != nil && c.After != nil && c.Before.GetUID() == c.After.GetUID() &&
		c.Before.GetGeneration() == c.After.GetGeneration()
}

// Start follows the cluster's namespaces, Credentials and assets into a catalog, as
// long as the cache runs. It returns at once; see Synced.
func Start(ctx context.Context, informers cache.Informers, into *catalog.Catalog) (*Feed, error) {
	feed := &Feed{}
	for _, follow := range []struct {
		kind    client.Object
		handler toolscache.ResourceEventHandler
	}{
		{Namespace(), namespaces(into)},
		{&v1alpha1.Credential{}, credentials(into)},
		{&v1alpha1.Environment{}, assets(into, asset.Environment)},
		{&v1alpha1.DataSource{}, assets(into, asset.DataSource)},
		{&v1alpha1.WorkloadTemplate{}, assets(into, asset.WorkloadTemplate)},
	} {
		informer, err := informers.GetInformer(ctx, follow.kind, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, fmt.Errorf("following %T: %w", follow.kind, err)
		}
		registration, err := informer.AddEventHandler(notifying{follow.handler, feed})
		if err != nil {
			return nil, fmt.Errorf("following %T: %w", follow.kind, err)
		}
		feed.synced = append(feed.synced, registration.HasSynced)
	}
	return feed, nil
}

// Synced says whether everything that existed at the start is in the catalog. A
// catalog that is not complete must decide nothing.
func (f *Feed) Synced() bool {
	for _, synced := range f.synced {
		if !synced() {
			return false
		}
	}
	return true
}

// Notify has a function called after the catalog has taken in a change, other
// than those that make up the initial list. A watch of one's own does not do:
// informers call their handlers side by side, so it may come before the catalog
// knows, and nothing would come after. The function must return soon.
func (f *Feed) Notify(listener func(Change)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listeners = append(f.listeners, listener)
}

func (f *Feed) notify(change Change) {
	f.mu.Lock()
	listeners := slices.Clone(f.listeners)
	f.mu.Unlock()
	for _, listener := range listeners {
		listener(change)
	}
}

// notifying tells listeners of a change once the handler has dealt with it.
type notifying struct {
	toolscache.ResourceEventHandler
	feed *Feed
}

func (n notifying) OnAdd(obj any, initial bool) {
	n.ResourceEventHandler.OnAdd(obj, initial)
	if after, ok := obj.(client.Object); ok && !initial {
		n.feed.notify(Change{After: after})
	}
}

func (n notifying) OnUpdate(old, obj any) {
	n.ResourceEventHandler.OnUpdate(old, obj)
	before, known := old.(client.Object)
	if after, ok := obj.(client.Object); ok && known {
		n.feed.notify(Change{Before: before, After: after})
	}
}

func (n notifying) OnDelete(obj any) {
	n.ResourceEventHandler.OnDelete(obj)
	if missed, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
		obj = missed.Obj
	}
	if before, ok := obj.(client.Object); ok {
		n.feed.notify(Change{Before: before})
	}
}

func namespaces(into *catalog.Catalog) toolscache.ResourceEventHandler {
	set := func(obj any) {
		if namespace, ok := obj.(*metav1.PartialObjectMetadata); ok {
			into.SetNamespace(namespace.Name, namespace.Labels)
		}
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    set,
		UpdateFunc: func(_, obj any) { set(obj) },
		DeleteFunc: func(obj any) {
			if key, ok := keyOf(obj); ok {
				into.RemoveNamespace(key.Name)
			}
		},
	}
}

func credentials(into *catalog.Catalog) toolscache.ResourceEventHandler {
	set := func(obj any) {
		if credential, ok := obj.(*v1alpha1.Credential); ok {
			into.Set(catalog.NewEntry(credential))
		}
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    set,
		UpdateFunc: func(_, obj any) { set(obj) },
		DeleteFunc: func(obj any) {
			if key, ok := keyOf(obj); ok {
				into.Remove(key)
			}
		},
	}
}

func assets(into *catalog.Catalog, kind asset.Kind) toolscache.ResourceEventHandler {
	set := func(obj any) {
		if object, ok := obj.(client.Object); ok {
			if a := asset.New(object); a != nil && a.Kind == kind {
				into.SetAsset(a)
			}
		}
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    set,
		UpdateFunc: func(_, obj any) { set(obj) },
		DeleteFunc: func(obj any) {
			if key, ok := keyOf(obj); ok {
				into.RemoveAsset(kind, key)
			}
		},
	}
}

// keyOf reads a deleted object's key, also of one whose deletion was missed
// while the watch was down.
func keyOf(obj any) (types.NamespacedName, bool) {
	name, err := toolscache.DeletionHandlingObjectToName(obj)
	if err != nil {
		return types.NamespacedName{}, false
	}
	return types.NamespacedName{Namespace: name.Namespace, Name: name.Name}, true
}
