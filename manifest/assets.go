// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
)

// Assets are the objects that decide what a workload gets.
type Assets struct {
	Namespaces  []metav1.PartialObjectMetadata
	Credentials []v1alpha1.Credential
	Secrets     []corev1.Secret
}

// ReadAssets collects the assets among documents, those in Lists included. Other
// objects are passed over.
func ReadAssets(documents []Document) (*Assets, error) {
	assets := &Assets{}
	for i := range documents {
		err := eachObject(documents[i].JSON, "", typeMeta{}, func(o object) error { return assets.add(o) })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", &documents[i], err)
		}
	}
	return assets, nil
}

func (a *Assets) add(o object) error {
	switch {
	case o.APIVersion == "v1" && o.Kind == "Namespace":
		return addTo(&a.Namespaces, o)
	case o.APIVersion == v1alpha1.GroupVersion.String() && o.Kind == "Credential":
		return addTo(&a.Credentials, o)
	case o.APIVersion == "v1" && o.Kind == "Secret":
		return addTo(&a.Secrets, o)
	}
	return nil
}

// addTo decodes strictly: an asset with a misspelt field would mean something
// else than its author thinks. Errors name fields, and never a Secret's values.
func addTo[T any](list *[]T, o object) error {
	var item T
	strict, err := kjson.UnmarshalStrict(o.JSON, &item)
	if err != nil {
		if o.Kind == "Secret" {
			return errors.New("the Secret cannot be read: a field has the wrong type, or data is not base64")
		}
		return fmt.Errorf("the %s cannot be read: %w", o.Kind, err)
	}
	if _, metadataOnly := any(item).(metav1.PartialObjectMetadata); !metadataOnly && len(strict) > 0 {
		return fmt.Errorf("the %s cannot be read: %w", o.Kind, strict[0])
	}
	*list = append(*list, item)
	return nil
}

// Catalog makes a catalog of the assets. A Credential without a status gets one
// computed from its Secret, if that is among them. Objects without a namespace
// are in the one given. Problems are those of Credentials that cannot be used.
func (a *Assets) Catalog(layout credential.Layout, namespace string) (known *catalog.Catalog, problems []error) {
	known = catalog.New(layout)
	for i := range a.Namespaces {
		known.SetNamespace(a.Namespaces[i].Name, a.Namespaces[i].Labels)
	}
	secrets := map[types.NamespacedName]*corev1.Secret{}
	for i := range a.Secrets {
		secret := a.Secrets[i].DeepCopy()
		secret.Namespace = or(secret.Namespace, namespace)
		secrets[types.NamespacedName{Namespace: secret.Namespace, Name: secret.Name}] = secret
	}
	owners := map[types.NamespacedName]*v1alpha1.Credential{}
	for i := range a.Credentials {
		c := a.Credentials[i].DeepCopy()
		c.Namespace = or(c.Namespace, namespace)
		if c.Status.ObservedGeneration > 0 || len(c.Status.Conditions) > 0 {
			known.Set(catalog.NewEntry(c))
			continue
		}
		source := types.NamespacedName{Namespace: c.Namespace, Name: c.Spec.SecretRef.Name}
		home, _ := known.Place(c.Namespace)
		entry, problem := catalog.NewEntryFromSource(credential.Candidate{
			Credential: c, Home: home, Layout: layout, Secret: secrets[source], Owner: other(owners[source], c),
		})
		if owners[source] == nil {
			owners[source] = c
		}
		known.Set(entry)
		if problem != nil {
			problems = append(problems, fmt.Errorf("credential %s/%s: %w", c.Namespace, c.Name, problem))
		}
	}
	return known, problems
}

// other returns a credential that is not just the same one again.
func other(owner, c *v1alpha1.Credential) *v1alpha1.Credential {
	if owner != nil && owner.Name == c.Name {
		return nil
	}
	return owner
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// typeMeta says what an object is.
type typeMeta struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

// object is one object of a document: the document itself, or an item of a List.
type object struct {
	typeMeta
	// Pointer is where it stands in the document, as a JSON pointer.
	Pointer string
	JSON    []byte
}

// eachObject calls do for an object or for the items of a List, also in one
// another. An item may leave out what it is in a list of one kind.
func eachObject(document []byte, pointer string, assumed typeMeta, do func(object) error) error {
	if document == nil {
		return nil
	}
	var head struct {
		typeMeta
		Items []json.RawMessage `json:"items"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(document, &head); err != nil {
		return fmt.Errorf("not a Kubernetes object: %w", err)
	}
	if head.Kind == "" {
		head.typeMeta = assumed
	}
	kind, isList := listOf(head.typeMeta)
	if !isList {
		return do(object{typeMeta: head.typeMeta, Pointer: pointer, JSON: document})
	}
	for i, item := range head.Items {
		if err := eachObject(item, fmt.Sprintf("%s/items/%d", pointer, i), kind, do); err != nil {
			return fmt.Errorf("items[%d]: %w", i, err)
		}
	}
	return nil
}

// listOf says whether an object is a list, and of what.
func listOf(t typeMeta) (item typeMeta, isList bool) {
	const suffix = "List"
	if len(t.Kind) < len(suffix) || t.Kind[len(t.Kind)-len(suffix):] != suffix {
		return typeMeta{}, false
	}
	if kind := t.Kind[:len(t.Kind)-len(suffix)]; kind != "" {
		item = typeMeta{APIVersion: t.APIVersion, Kind: kind}
	}
	return item, true
}
