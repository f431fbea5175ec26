// SPDX-License-Identifier: Apache-2.0

package object

import (
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Object is what is kept of an object. There may be 50,000 of them, and most are
// replicas: all that they have in common is held once, in the shape.
type Object struct {
	Name string
	UID  types.UID
	// Started is when a pod's containers that read Secrets were started.
	Started StartTimes
	Shape   unique.Handle[Shape]
	// Uncarried is a workload whose annotations are not on its pod templates as they
	// would be if they had been carried. It takes no memory: the size is rounded up.
	Uncarried bool
}

// Shape is what replicas have in common.
type Shape struct {
	Kind      Kind
	Namespace string
	Owner     Owner
	// Finished is a pod or Job that runs no more.
	Finished bool
	Refers   References
	// Warnings are what the author of a pod that somebody controls was warned of when it
	// was injected, a line each.
	Warnings string
}

// Kind is that of an object, or of what objects refer to.
type Kind = unique.Handle[schema.GroupKind]

// Kinds that are treated in a way of their own.
var (
	Pod            = unique.Make(schema.GroupKind{Kind: "Pod"})
	PodTemplate    = unique.Make(schema.GroupKind{Kind: "PodTemplate"})
	ServiceAccount = unique.Make(schema.GroupKind{Kind: "ServiceAccount"})
	Secret         = unique.Make(schema.GroupKind{Kind: "Secret"})

	Credential       = unique.Make(schema.GroupKind{Group: v1alpha1.Group, Kind: "Credential"})
	Environment      = unique.Make(schema.GroupKind{Group: v1alpha1.Group, Kind: "Environment"})
	DataSource       = unique.Make(schema.GroupKind{Group: v1alpha1.Group, Kind: "DataSource"})
	WorkloadTemplate = unique.Make(schema.GroupKind{Group: v1alpha1.Group, Kind: "WorkloadTemplate"})
)

// IsAsset says whether a kind is one of assets.
func IsAsset(kind Kind) bool {
	return kind == Environment || kind == DataSource || kind == WorkloadTemplate
}

// Owner is the reference to a controller. The zero value is none.
type Owner struct {
	APIVersion string
	Kind       Kind
	Name       string
	UID        types.UID
}

func ownerOf(object metav1.Object) Owner {
	reference := Controller(object)
	if reference == nil {
		return Owner{}
	}
	group := schema.FromAPIVersionAndKind(reference.APIVersion, reference.Kind).GroupKind()
	return Owner{reference.APIVersion, unique.Make(group), reference.Name, reference.UID}
}

// ID names an object, or something that objects refer to, which need not exist.
type ID struct {
	Kind            Kind
	Namespace, Name string
}

// ID returns what an object is called.
func (o *Object) ID() ID {
	shape := o.Shape.Value()
	return ID{shape.Kind, shape.Namespace, o.Name}
}

// Matters says whether anybody would be answered otherwise without an object. A
// workload that refers to nothing still tells which workload its pods belong to.
func (o *Object) Matters() bool {
	shape := o.Shape.Value()
	switch {
	case shape.Kind == Pod && shape.Finished:
		return false
	case shape.Refers != "":
		return true
	case shape.Kind == Pod: // may own others, which belong to its owner then
		return shape.Owner != Owner{}
	}
	return shape.Kind != PodTemplate && shape.Kind != ServiceAccount
}
