// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/credential/check"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/injector/remark"
	"github.com/credence-dev/credence/webhook/own"
)

// maxLooked bounds how many names of one asset are read live.
const maxLooked = 8

// check says for which faults an asset is refused, and which it is only warned about.
// What a refusal follows from is read live before: it may have been changed a moment
// ago.
func (q *nameInquiry) check(visit *visit, home credential.Place) (refusals []own.Refusal, warnings remark.Warnings, err error) {
	given, err := q.asset(q.Object)
	if err != nil {
		return nil, warnings, err
	}
	var old *asset.Asset
	if q.OldObject != nil {
		if old, err = q.asset(q.OldObject); err != nil {
			return nil, warnings, err
		}
	}
	view := &checkView{
		Catalog: q.kind.known, live: q.live, visit: visit, home: home,
		looked: map[question]client.Object{}, read: map[types.NamespacedName]*catalog.Entry{},
	}
	for {
		var before []check.Fault
		if old != nil {
			before = check.Asset(view, old)
		}
		now := check.Asset(view, given)
		refusals, warnings = own.Judge(before, now)
		if len(refusals) == 0 || !view.readAgain(now) {
			return refusals, warnings, nil
		}
	}
}

// asset reads an object of one of the kinds of assets.
func (q *nameInquiry) asset(object *own.Object) (*asset.Asset, error) {
	into := emptyOf(q.kind.kind)
	into.SetNamespace(q.Namespace)
	into.SetName(object.Metadata.Name)
	if len(object.Spec) > 0 {
		text := slices.Concat([]byte(`{"spec":`), object.Spec, []byte("}"))
		if err := json.Unmarshal(text, into, jsontext.AllowDuplicateNames(true)); err != nil {
			return nil, pod.Explain(err)
		}
	}
	return asset.New(into), nil
}

// checkView is the catalog as one asset is checked against it: what the catalog does
// not know, it reads live, and what it has read again goes before it. What cannot be
// read is as the catalog has it.
type checkView struct {
	*catalog.Catalog
	live  *liveReader
	visit *visit
	home  credential.Place // of the asset
	// looked are the answers to what the catalog does not know, nil for none.
	looked map[question]client.Object
	// read are credentials that were read live, nil for one that is gone.
	read map[types.NamespacedName]*catalog.Entry
}

// Place knows the asset's own namespace.
func (v *checkView) Place(namespace string) (credential.Place, bool) {
	if namespace == v.home.Namespace {
		return v.home, true
	}
	return v.Catalog.Place(namespace)
}

// Lookup returns the credential that a name means.
func (v *checkView) Lookup(from credential.Place, name string) (*catalog.Entry, bool) {
	if entry, ok := v.Catalog.Lookup(from, name); ok {
		if now, again := v.read[entry.NamespacedName]; again {
			return now, now != nil
		}
		return entry, true
	}
	c, ok := v.look(question{from, asset.Credential, name}).(*v1alpha1.Credential)
	if !ok {
		return nil, false
	}
	entry := catalog.NewEntry(c)
	v.read[entry.NamespacedName] = entry
	return entry, true
}

// LookupAsset returns the asset that a name means.
func (v *checkView) LookupAsset(kind asset.Kind, from credential.Place, name string) (*asset.Asset, bool) {
	if a, ok := v.Catalog.LookupAsset(kind, from, name); ok {
		return a, true
	}
	object := v.look(question{from, kind, name})
	if object == nil {
		return nil, false
	}
	return asset.New(object), true
}

// look reads live what a name means, each once, and no more than a few.
func (v *checkView) look(asked question) client.Object {
	object, known := v.looked[asked]
	if known || len(v.looked) == maxLooked {
		return object
	}
	object, err := v.live.visible(v.visit, asked.from, asked.kind, asked.name)
	if err != nil {
		object = nil
	}
	v.looked[asked] = object
	return object
}

// readAgain reads what refusals follow from, and says whether anything was read that
// had not been.
func (v *checkView) readAgain(faults []check.Fault) (any bool) {
	for i := range faults {
		for _, entry := range faults[i].Of {
			if _, again := v.read[entry.NamespacedName]; again || len(v.read) == maxLooked {
				continue
			}
			v.read[entry.NamespacedName] = entry
			object, err := v.live.get(v.visit, entry.NamespacedName, &v1alpha1.Credential{})
			if err != nil {
				continue
			}
			any = true
			v.read[entry.NamespacedName] = nil
			if object != nil {
				v.read[entry.NamespacedName] = catalog.NewEntry(object.(*v1alpha1.Credential))
			}
		}
	}
	return any
}
