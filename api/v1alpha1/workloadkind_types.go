// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WorkloadKind tells Credence of a third-party kind that runs pods, and where the
// pod templates are in its objects. The kinds that many clusters have are known
// without one.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=cwk,categories=credence
// +kubebuilder:printcolumn:name="API version",type=string,JSONPath=`.spec.apiVersion`
// +kubebuilder:printcolumn:name="Kind",type=string,JSONPath=`.spec.kind`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type WorkloadKind struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the kind, and where its pod templates are.
	// +required
	Spec WorkloadKindSpec `json:"spec"`
	// status is what Credence made of it. Written by the controller only.
	// +optional
	Status WorkloadKindStatus `json:"status,omitempty"`
}

// WorkloadKindList is a list of WorkloadKinds.
//
// +kubebuilder:object:root=true
type WorkloadKindList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	// items are the WorkloadKinds.
	Items []WorkloadKind `json:"items"`
}

// WorkloadKindSpec is a kind, and where its pod templates are.
//
// +kubebuilder:validation:XValidation:rule="self.apiVersion == oldSelf.apiVersion && self.kind == oldSelf.kind",message="apiVersion and kind are immutable; create another WorkloadKind"
type WorkloadKindSpec struct {
	// apiVersion of the kind, with its group, such as "example.com/v1".
	// +required
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)+/v[a-z0-9]+$')",message="apiVersion must be <group>/<version>, and the group a domain such as example.com: Kubernetes' own kinds are known"
	APIVersion string `json:"apiVersion"`
	// kind as objects write it, such as "TrainingJob".
	// +required
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Z][A-Za-z0-9]*$')",message="kind must be a word that begins with a capital letter"
	Kind string `json:"kind"`
	// podTemplatePaths say where the pod templates are: ".spec.template",
	// ".spec.groups[*].template" for each item of a list, ".spec.replicas.*.template"
	// for each value of a map.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.all(path, path.matches('^[.][A-Za-z_][A-Za-z0-9_-]*([.]([A-Za-z_][A-Za-z0-9_-]*|[*])|\\\\[[*]\\\\])*$'))",message="a path is made of .field, .* for every value of a map, and [*] for every item of a list"
	PodTemplatePaths []string `json:"podTemplatePaths"`
}

// WorkloadKindStatus is what Credence made of a WorkloadKind.
type WorkloadKindStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
