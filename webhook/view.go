// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
)

// view is the catalog as one request sees it: what the catalog does not know, it
// reads live. What it finds is not put into the catalog: what an informer has
// already seen go would stay there for good.
//
// It reads in the order in which the injector asks, and the injector stops at the
// first name that means nothing, so a pod with many such names costs the reads
// of one.
type view struct {
	*catalog.Catalog
	live  *liveReader
	visit *visit

	place   *credential.Place
	entries []readEntry
	assets  []readAsset
	// unknown says, in the first words of a sentence, what could not be read; then
	// the answer of the view is not to be believed.
	unknown string
}

// Place reads the pod's namespace if it is not known as a project: the API server
// may know better.
func (v *view) Place(namespace string) (credential.Place, bool) {
	place, known := v.Catalog.Place(namespace)
	if place.IsProject() {
		return place, known
	}
	if v.place == nil {
		live, err := v.live.place(v.visit, namespace)
		if err != nil {
			v.unknown = fmt.Sprintf("whether namespace %s is a project could not be looked up just now", namespace)
		}
		if live == nil {
			return place, known
		}
		v.place = live
	}
	return *v.place, true
}

// readEntry is what a name was found to mean from a place.
type readEntry struct {
	from credential.Place
	*catalog.Entry
}

type readAsset struct {
	from credential.Place
	*asset.Asset
}

// Lookup prefers what the catalog knows: that is what the informers have caught up
// to meanwhile.
func (v *view) Lookup(from credential.Place, name string) (*catalog.Entry, bool) {
	if entry, ok := v.Catalog.Lookup(from, name); ok {
		return entry, true
	}
	for _, read := range v.entries {
		if read.Name == name && read.from == from {
			return read.Entry, true
		}
	}
	object := v.visible(from, asset.Credential, name)
	if object == nil {
		return nil, false
	}
	entry := catalog.NewEntry(object.(*v1alpha1.Credential))
	v.entries = append(v.entries, readEntry{from, entry})
	return entry, true
}

// LookupAsset does the same for assets.
func (v *view) LookupAsset(kind asset.Kind, from credential.Place, name string) (*asset.Asset, bool) {
	if found, ok := v.Catalog.LookupAsset(kind, from, name); ok {
		return found, true
	}
	for _, read := range v.assets {
		if read.Kind == kind && read.Name == name && read.from == from {
			return read.Asset, true
		}
	}
	object := v.visible(from, kind, name)
	if object == nil {
		return nil, false
	}
	found := asset.New(object)
	v.assets = append(v.assets, readAsset{from, found})
	return found, true
}

// Inside knows of the pod's namespace what was read of it.
func (v *view) Inside(a *asset.Asset) (credential.Place, bool) {
	if v.place != nil && v.place.Namespace == a.Namespace {
		extent := credential.Extent{Scope: a.Scope, Home: *v.place}
		return extent.Inside(), extent.Fits()
	}
	return v.Catalog.Inside(a)
}

// visible reads what a name means, nil if it means nothing. A name that only an asset
// gives is not for the pod's author to see.
func (v *view) visible(from credential.Place, kind asset.Kind, name string) client.Object {
	object, err := v.live.visible(v.visit, from, kind, name)
	switch {
	case err == nil:
	case from.Namespace == v.visit.namespace:
		v.unknown = fmt.Sprintf("%s %q could not be looked up just now", kind.Word(), name)
	default:
		v.unknown = fmt.Sprintf("something that an asset names (%s) could not be looked up just now", kind.Word())
	}
	return object
}
