// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WorkloadTemplate names in one place what a workload would otherwise annotate
// one by one.
//
// It lives where a Credential of its scope would.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=ctpl,categories=credence
// +kubebuilder:printcolumn:name="Scope",type=string,JSONPath=`.spec.scope.level`
// +kubebuilder:printcolumn:name="Environment",type=string,JSONPath=`.spec.environment`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Used by",type=integer,JSONPath=`.status.usedBy.total`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Department",type=string,JSONPath=`.spec.scope.department`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 52 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must be a DNS label of at most 52 characters: lower case letters, digits and '-'; it is what workloads write",fieldPath=".metadata"
type WorkloadTemplate struct {
	metav1.TypeMeta `json:",inline"`
	// metadata.name is the identity that workloads name, for good: a DNS label of
	// at most 52 characters.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the template gives, and who may use it.
	// +required
	Spec WorkloadTemplateSpec `json:"spec"`
	// status is what Credence made of it. Written by the controller only.
	// +optional
	Status AssetStatus `json:"status,omitempty"`
}

// WorkloadTemplateList is a list of WorkloadTemplates.
//
// +kubebuilder:object:root=true
type WorkloadTemplateList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	// items are the WorkloadTemplates.
	Items []WorkloadTemplate `json:"items"`
}

// WorkloadTemplateSpec is what a template gives, and who may use it.
//
// +kubebuilder:validation:XValidation:rule="has(self.environment) || [has(self.dataSources) && self.dataSources.size() > 0, has(self.credentials) && self.credentials.size() > 0, has(self.env) && self.env.size() > 0, has(self.mounts) && self.mounts.size() > 0].exists(one, one)",message="a template needs at least one of environment, dataSources, credentials, env and mounts"
type WorkloadTemplateSpec struct {
	AssetHead `json:",inline"`
	// environment to inject.
	// +optional
	Environment AssetName `json:"environment,omitempty"`
	// dataSources to inject.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	DataSources []AssetName `json:"dataSources,omitempty"`
	// credentials to inject in their default way.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Credentials []AssetName `json:"credentials,omitempty"`
	// env are environment variables. A variable that a container has of its own is
	// kept.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=128
	Env []AssetEnv `json:"env,omitempty"`
	// mounts are credentials as files.
	// +optional
	// +listType=map
	// +listMapKey=mountPath
	// +kubebuilder:validation:MaxItems=64
	Mounts []CredentialMount `json:"mounts,omitempty"`
}
