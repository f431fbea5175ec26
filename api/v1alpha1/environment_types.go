// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EnvironmentPlaceholder is the image of the container that takes an
// Environment's image, pull policy, command and arguments. It can never be
// pulled, for names under "invalid" never resolve.
const EnvironmentPlaceholder = "credence.invalid/environment"

// Environment is what a workload runs in: an image with its command, environment
// variables and credentials, that workloads use by name.
//
// It lives where a Credential of its scope would.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=cenv,categories=credence
// +kubebuilder:printcolumn:name="Scope",type=string,JSONPath=`.spec.scope.level`
// +kubebuilder:printcolumn:name="Image",type=string,JSONPath=`.spec.image`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Used by",type=integer,JSONPath=`.status.usedBy.total`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Department",type=string,JSONPath=`.spec.scope.department`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 52 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must be a DNS label of at most 52 characters: lower case letters, digits and '-'; it is what workloads write",fieldPath=".metadata"
type Environment struct {
	metav1.TypeMeta `json:",inline"`
	// metadata.name is the identity that workloads name, for good: a DNS label of
	// at most 52 characters.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the environment gives, and who may use it.
	// +required
	Spec EnvironmentSpec `json:"spec"`
	// status is what Credence made of it. Written by the controller only.
	// +optional
	Status AssetStatus `json:"status,omitempty"`
}

// EnvironmentList is a list of Environments.
//
// +kubebuilder:object:root=true
type EnvironmentList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	// items are the Environments.
	Items []Environment `json:"items"`
}

// EnvironmentSpec is what an environment gives, and who may use it.
//
// Image, imagePullPolicy, command and args replace those of a container whose
// image is "credence.invalid/environment". Nothing else that a pod's author wrote
// is ever replaced.
//
// +kubebuilder:validation:XValidation:rule="has(self.image) || (!has(self.imagePullPolicy) && !has(self.command) && !has(self.args) && !has(self.workingDir))",message="imagePullPolicy, command, args and workingDir go with an image"
type EnvironmentSpec struct {
	AssetHead `json:",inline"`
	// image to run.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^[:space:][:cntrl:]]+$') && !self.startsWith('credence.invalid/')",message="image must be the name of an image, without blanks, and not a placeholder"
	Image string `json:"image,omitempty"`
	// imagePullPolicy says when a node pulls the image.
	// +optional
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`
	// command is the entrypoint. Unset, the image's own.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=16384
	Command []string `json:"command,omitempty"`
	// args are the arguments. Unset, the image's own.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=16384
	Args []string `json:"args,omitempty"`
	// workingDir is the directory to start in, of a container that has the
	// placeholder for an image and no directory of its own.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.startsWith('/')",message="workingDir must be an absolute path"
	WorkingDir string `json:"workingDir,omitempty"`
	// env are environment variables. A variable that a container has of its own is
	// kept.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=128
	Env []AssetEnv `json:"env,omitempty"`
	// credentials are injected in their default way.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Credentials []AssetName `json:"credentials,omitempty"`
}
