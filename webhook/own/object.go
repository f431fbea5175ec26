// SPDX-License-Identifier: Apache-2.0

// Package own decides about objects of Credence's own kinds: who is on record as
// the author of one, and whether its names are free.
//
// It is about any kind with spec.scope and spec.displayName, and pure: package
// webhook reads the reviews, and asks the cluster who has which names. It must not
// import HTTP, client or admission packages.
package own

import (
	"bytes"
	"cmp"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/pod"
)

// Object is the part of an object that is read. The spec is kept as it came, for an
// object that is being changed has not been validated yet.
type Object struct {
	Metadata Metadata       `json:"metadata"`
	Spec     jsontext.Value `json:"spec"`
}

// Metadata is what is read of an object's metadata.
type Metadata struct {
	pod.Metadata
	// Deleting says that the object's deletion has begun.
	Deleting bool
}

// UnmarshalJSONFrom reads the metadata, and whether the object is being deleted.
func (m *Metadata) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	value, err := decoder.ReadValue()
	if err != nil {
		return err
	}
	var deletion struct {
		Timestamp jsontext.Value `json:"deletionTimestamp"`
	}
	for _, into := range []any{&deletion, &m.Metadata} {
		err := json.Unmarshal(value, into, jsontext.AllowDuplicateNames(true))
		var mistyped *json.SemanticError
		if errors.As(err, &mistyped) {
			mistyped.JSONPointer = decoder.StackPointer() + mistyped.JSONPointer
		}
		if err != nil {
			return err
		}
	}
	m.Deleting = len(deletion.Timestamp) > 0 && deletion.Timestamp.Kind() != 'n'
	return nil
}

// naming is the part of a spec that says what an object is called, and where.
type naming struct {
	DisplayName string         `json:"displayName"`
	Scope       v1alpha1.Scope `json:"scope"`
}

// Claim reads what a valid object is called. What its namespace is, is left to be
// filled in.
func (o *Object) Claim(namespace string) (catalog.Claim, error) {
	var naming naming
	if len(o.Spec) > 0 {
		if err := json.Unmarshal(o.Spec, &naming, jsontext.AllowDuplicateNames(true)); err != nil {
			return catalog.Claim{}, pod.Within("/spec", pod.Explain(err))
		}
	}
	return catalog.Claim{
		NamespacedName: types.NamespacedName{Namespace: namespace, Name: o.Metadata.Name},
		DisplayName:    cmp.Or(naming.DisplayName, o.Metadata.Name),
		Extent:         credential.Extent{Scope: naming.Scope},
	}, nil
}

// sameSpec says whether two specs mean the same. Both come from the API server in
// one version and with its defaults, so that they differ only in the order of
// members and in blanks, if nothing was changed.
func sameSpec(a, b jsontext.Value) bool {
	if bytes.Equal(a, b) {
		return true
	}
	a, b = a.Clone(), b.Clone()
	return a.Canonicalize(jsontext.AllowDuplicateNames(true)) == nil && b.Canonicalize(jsontext.AllowDuplicateNames(true)) == nil && bytes.Equal(a, b)
}
