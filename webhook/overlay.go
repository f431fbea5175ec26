// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
)

// overlay is the catalog with what live reads found for one request. It is not
// put into the catalog itself: what an informer has already seen go would stay
// there for good.
type overlay struct {
	*catalog.Catalog
	place   *credential.Place
	entries []*catalog.Entry // from the narrowest
}

// Place prefers the namespace that was read.
func (o *overlay) Place(namespace string) (credential.Place, bool) {
	if o.place != nil && o.place.Namespace == namespace {
		return *o.place, true
	}
	return o.Catalog.Place(namespace)
}

// Lookup prefers what the catalog knows: that is what the informers have caught up
// to meanwhile.
func (o *overlay) Lookup(project credential.Place, name string) (*catalog.Entry, bool) {
	if entry, ok := o.Catalog.Lookup(project, name); ok {
		return entry, true
	}
	for _, entry := range o.entries {
		home, _ := o.Place(entry.Namespace)
		if entry.Name == name && credential.Covers(entry.Scope, home, project) {
			return entry, true
		}
	}
	return nil, false
}

// copyInto hands a shared read to one who asked.
func copyInto(read, into client.Object) {
	switch into := into.(type) {
	case *v1alpha1.Credential:
		read.(*v1alpha1.Credential).DeepCopyInto(into)
	case *metav1.PartialObjectMetadata:
		read.(*metav1.PartialObjectMetadata).DeepCopyInto(into)
	}
}
