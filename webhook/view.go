// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"

	"github.com/credence-dev/credence/credential"
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
	entries []*catalog.Entry
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

// Lookup prefers what the catalog knows: that is what the informers have caught up
// to meanwhile.
func (v *view) Lookup(project credential.Place, name string) (*catalog.Entry, bool) {
	if entry, ok := v.Catalog.Lookup(project, name); ok {
		return entry, true
	}
	for _, entry := range v.entries {
		if entry.Name == name {
			return entry, true
		}
	}
	entry, err := v.live.visible(v.visit, project, name)
	if err != nil {
		v.unknown = fmt.Sprintf("credential %q could not be looked up just now", name)
	}
	if entry == nil {
		return nil, false
	}
	v.entries = append(v.entries, entry)
	return entry, true
}
