// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/workload"
)

// Assets are the objects that decide what a workload gets.
type Assets struct {
	Namespaces    []metav1.PartialObjectMetadata
	Credentials   []v1alpha1.Credential
	Environments  []v1alpha1.Environment
	DataSources   []v1alpha1.DataSource
	Templates     []v1alpha1.WorkloadTemplate
	WorkloadKinds []v1alpha1.WorkloadKind
	Secrets       []corev1.Secret
}

var (
	namespaceType    = typeMeta{APIVersion: "v1", Kind: "Namespace"}
	secretType       = typeMeta{APIVersion: "v1", Kind: "Secret"}
	credentialType   = ourType("Credential")
	environmentType  = ourType("Environment")
	dataSourceType   = ourType("DataSource")
	templateType     = ourType("WorkloadTemplate")
	workloadKindType = ourType("WorkloadKind")
)

// ourTypes are those of our kinds, all of which are read.
var ourTypes = []typeMeta{credentialType, environmentType, dataSourceType, templateType, workloadKindType}

func ourType(kind string) typeMeta {
	return typeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: kind}
}

// isAsset says whether objects of a type are among the assets.
func (t typeMeta) isAsset() bool {
	return t == namespaceType || t == secretType || slices.Contains(ourTypes, t)
}

// ReadAssets collects the assets among documents, those in Lists included. Other
// objects are passed over.
func ReadAssets(documents []Document) (*Assets, error) {
	assets := &Assets{}
	for i := range documents {
		if err := eachObject(documents[i].JSON, "", typeMeta{}, assets.add); err != nil {
			return nil, documents[i].locate(err)
		}
	}
	return assets, nil
}

func (a *Assets) add(o object) error {
	if o.isList {
		return nil
	}
	switch o.typeMeta {
	case namespaceType:
		return addTo(&a.Namespaces, o)
	case credentialType:
		return addTo(&a.Credentials, o)
	case environmentType:
		return addTo(&a.Environments, o)
	case dataSourceType:
		return addTo(&a.DataSources, o)
	case templateType:
		return addTo(&a.Templates, o)
	case workloadKindType:
		return addTo(&a.WorkloadKinds, o)
	case secretType:
		return addTo(&a.Secrets, o)
	}
	if o.isOurs() {
		return unknownKind(o)
	}
	return nil
}

// addTo decodes strictly: an asset with a misspelt field would mean something
// else than its author thinks. Errors name fields, and nothing of a Secret.
func addTo[T any, P interface {
	*T
	metav1.Object
}](list *[]T, o object) error {
	var item T
	strict, err := kjson.UnmarshalStrict(o.JSON, &item)
	if _, metadataOnly := any(item).(metav1.PartialObjectMetadata); err == nil && len(strict) > 0 && !metadataOnly {
		err = strict[0]
	}
	if err == nil {
		*list = append(*list, item)
		return validate(o, P(&item))
	}
	f := &fault{[]string{o.Pointer}, fmt.Errorf("the %s cannot be read: %w", o.Kind, err)}
	var mistyped *json.UnmarshalTypeError
	var inField kjson.FieldError
	switch {
	case errors.As(err, &mistyped):
		f.pointers[0] += pointerOf(mistyped.Field)
		f.err = fmt.Errorf("the %s cannot be read: %s must not be a JSON %s", o.Kind, mistyped.Field, mistyped.Value)
	case errors.As(err, &inField):
		f.pointers[0] += pointerOf(inField.FieldPath())
	}
	if o.typeMeta == secretType {
		f.err = errors.New("the Secret cannot be read: a field is unknown or has the wrong type, or data is not base64")
	}
	return f
}

// pointerOf makes a JSON pointer of a path such as "spec.injection.env[0].name".
func pointerOf(path string) string {
	return "/" + strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(path)
}

// Catalog makes a catalog of the assets. A Credential without a status gets one
// computed from its Secret, if that is among them. Objects without a namespace
// are in the one given. Problems are those of Credentials that cannot be used; what is
// wrong with an Environment, a DataSource or a WorkloadTemplate matters to those that
// name it, and is told there.
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
	for _, c := range a.byAge(namespace) {
		source := types.NamespacedName{Namespace: c.Namespace, Name: c.Spec.SecretRef.Name}
		owner := owners[source]
		if owner != nil && owner.Name == c.Name { // the same once more replaces what was read before
			owner = nil
		}
		home, _ := known.Place(c.Namespace)
		candidate := credential.Candidate{Credential: c, Home: home, Layout: layout, Secret: secrets[source], Owner: owner}
		if owner == nil && (hasStatus(c) || credential.Entitled(candidate)) {
			owners[source] = c
		}
		if hasStatus(c) {
			known.Set(catalog.NewEntry(c))
			continue
		}
		entry, problem := catalog.NewEntryFromSource(candidate)
		known.Set(entry)
		if problem != nil {
			problems = append(problems, fmt.Errorf("credential %s/%s: %w", c.Namespace, c.Name, problem))
		}
	}
	for _, object := range a.assets() {
		object.SetNamespace(or(object.GetNamespace(), namespace))
		known.SetAsset(asset.New(object))
	}
	return known, problems
}

// assets returns copies of what the kinds of package asset have.
func (a *Assets) assets() (objects []metav1.Object) {
	for i := range a.Environments {
		objects = append(objects, a.Environments[i].DeepCopy())
	}
	for i := range a.DataSources {
		objects = append(objects, a.DataSources[i].DeepCopy())
	}
	for i := range a.Templates {
		objects = append(objects, a.Templates[i].DeepCopy())
	}
	return objects
}

// Kinds are those that the WorkloadKinds tell of. Whether an API server has them is not
// asked. One whose paths cannot be read tells of nothing.
func (a *Assets) Kinds() *workload.Registry {
	kinds := &workload.Registry{}
	for i := range a.WorkloadKinds {
		told := &a.WorkloadKinds[i]
		if kind, err := workload.Read(&told.Spec); err == nil {
			kinds.Set(workload.Claim{Name: told.Name, Created: told.CreationTimestamp.Time, Kind: kind})
		}
	}
	return kinds
}

// hasStatus says whether a controller has seen a Credential.
func hasStatus(c *v1alpha1.Credential) bool {
	return c.Status.ObservedGeneration > 0 || len(c.Status.Conditions) > 0
}

// byAge returns the Credentials, the oldest first, because of two with one source
// the older has it. Those that no cluster has seen are the youngest, in their own
// order.
func (a *Assets) byAge(namespace string) []*v1alpha1.Credential {
	credentials := make([]*v1alpha1.Credential, len(a.Credentials))
	for i := range a.Credentials {
		credentials[i] = a.Credentials[i].DeepCopy()
		credentials[i].Namespace = or(credentials[i].Namespace, namespace)
	}
	slices.SortStableFunc(credentials, func(a, b *v1alpha1.Credential) int {
		switch x, y := a.CreationTimestamp.Time, b.CreationTimestamp.Time; {
		case x.IsZero() && !y.IsZero():
			return 1
		case y.IsZero() && !x.IsZero():
			return -1
		default:
			return x.Compare(y)
		}
	})
	return credentials
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
