// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Group is the API group of every kind in this package. It is also the domain
// of every label and annotation of Credence's own.
const Group = "credence.dev"

// GroupVersion is the group and version of the kinds in this package.
var GroupVersion = schema.GroupVersion{Group: Group, Version: "v1alpha1"}

// AddToScheme registers the kinds of this package with a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&Credential{}, &CredentialList{},
		&Environment{}, &EnvironmentList{},
		&DataSource{}, &DataSourceList{},
		&WorkloadTemplate{}, &WorkloadTemplateList{},
		&WorkloadKind{}, &WorkloadKindList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
