// SPDX-License-Identifier: Apache-2.0

// Package asset reads Environments, DataSources and WorkloadTemplates: what each
// is called, how wide it may be used, and what it refers to.
//
// It is pure, like package credential. Whether what an asset refers to can be had
// is a question for package catalog.
package asset

import (
	"cmp"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Kind is a kind of asset, or Credential, as the API names it.
type Kind string

// The kinds of assets, and that of credentials, which assets refer to.
const (
	Credential       Kind = "Credential"
	Environment      Kind = "Environment"
	DataSource       Kind = "DataSource"
	WorkloadTemplate Kind = "WorkloadTemplate"
)

// Kinds are the kinds of assets.
var Kinds = []Kind{Environment, DataSource, WorkloadTemplate}

// Word is what messages call an object of a kind.
func (k Kind) Word() string {
	switch k {
	case Credential:
		return "credential"
	case Environment:
		return "environment"
	case DataSource:
		return "data source"
	case WorkloadTemplate:
		return "template"
	}
	return string(k)
}

// Asset is an asset as those who use it see it. It is immutable, so that it may be
// shared.
type Asset struct {
	Kind Kind
	types.NamespacedName
	UID types.UID
	// DisplayName is what people see: the name, if the spec gives no other.
	DisplayName string
	Scope       v1alpha1.Scope
	// DeletedAt is when its deletion began, nil if it did not.
	DeletedAt *metav1.Time

	// One of these is what the asset gives, by its kind; the others are nil.
	Environment *v1alpha1.EnvironmentSpec
	DataSource  *v1alpha1.DataSourceSpec
	Template    *v1alpha1.WorkloadTemplateSpec
}

// New reads an object of one of our kinds of assets, and returns nil for any other.
// It keeps nothing of the object that a caller could change.
func New(object metav1.Object) *Asset {
	var (
		asset Asset
		head  *v1alpha1.AssetHead
	)
	switch one := object.(type) {
	case *v1alpha1.Environment:
		asset.Kind, asset.Environment = Environment, one.Spec.DeepCopy()
		head = &asset.Environment.AssetHead
	case *v1alpha1.DataSource:
		asset.Kind, asset.DataSource = DataSource, one.Spec.DeepCopy()
		head = &asset.DataSource.AssetHead
	case *v1alpha1.WorkloadTemplate:
		asset.Kind, asset.Template = WorkloadTemplate, one.Spec.DeepCopy()
		head = &asset.Template.AssetHead
	default:
		return nil
	}
	asset.NamespacedName = types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}
	asset.UID = object.GetUID()
	asset.DisplayName = cmp.Or(head.DisplayName, asset.Name)
	asset.Scope = head.Scope
	asset.DeletedAt = object.GetDeletionTimestamp().DeepCopy()
	return &asset
}

// String is `<word> "<name>"`, as messages name it.
func (a *Asset) String() string { return fmt.Sprintf("%s %q", a.Kind.Word(), a.Name) }

// Reference is something that an asset refers to.
type Reference struct {
	Kind Kind
	Name string
	// Field of the asset's object that refers to it, such as "spec.env[0].credential".
	Field string
	// Keys of the credential that are needed, by key or role.
	Keys []string
	// Type that the credential must have; empty for any.
	Type v1alpha1.CredentialType
}

// References are all that an asset refers to, in the order of its fields.
func (a *Asset) References() []Reference {
	switch a.Kind {
	case Environment:
		return append(ofEnv(a.Environment.Env), ofNames("spec.credentials", Credential, a.Environment.Credentials)...)
	case DataSource:
		return ofSource(a.DataSource)
	case WorkloadTemplate:
		return ofTemplate(a.Template)
	}
	return nil
}

func ofEnv(env []v1alpha1.AssetEnv) (references []Reference) {
	for i, one := range env {
		if one.Credential != nil {
			references = append(references, Reference{
				Kind: Credential, Name: string(one.Credential.Name), Keys: []string{one.Credential.Key},
				Field: fmt.Sprintf("spec.env[%d].credential", i),
			})
		}
	}
	return references
}

func ofNames(field string, kind Kind, names []v1alpha1.AssetName) (references []Reference) {
	for i, name := range names {
		references = append(references, Reference{Kind: kind, Name: string(name), Field: fmt.Sprintf("%s[%d]", field, i)})
	}
	return references
}

func ofMount(field string, mount *v1alpha1.CredentialMount) Reference {
	reference := Reference{Kind: Credential, Name: string(mount.Credential), Field: field + ".credential"}
	for _, key := range mount.Keys {
		reference.Keys = append(reference.Keys, key.Key)
	}
	return reference
}

func ofTemplate(spec *v1alpha1.WorkloadTemplateSpec) (references []Reference) {
	if spec.Environment != "" {
		references = append(references, Reference{Kind: Environment, Name: string(spec.Environment), Field: "spec.environment"})
	}
	references = append(references, ofNames("spec.dataSources", DataSource, spec.DataSources)...)
	references = append(references, ofNames("spec.credentials", Credential, spec.Credentials)...)
	references = append(references, ofEnv(spec.Env)...)
	for i := range spec.Mounts {
		references = append(references, ofMount(fmt.Sprintf("spec.mounts[%d]", i), &spec.Mounts[i]))
	}
	return references
}
