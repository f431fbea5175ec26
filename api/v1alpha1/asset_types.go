// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AssetHead is what every asset says of itself.
//
// +kubebuilder:validation:XValidation:rule="self.scope == oldSelf.scope || (oldSelf.scope.level == 'department' && self.scope.level == 'cluster')",message="scope is immutable, except that a department's asset may be widened to the cluster"
type AssetHead struct {
	// displayName is what people see. Renaming changes only this and the
	// description, and never disturbs a workload. The default is metadata.name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self == self.trim() && !self.matches('[[:cntrl:]]')",message="displayName must be one line that neither begins nor ends with a blank"
	DisplayName string `json:"displayName,omitempty"`
	// description is free text for people.
	// +optional
	// +kubebuilder:validation:MaxLength=250
	Description string `json:"description,omitempty"`
	// scope says which projects may use the asset. Immutable, but for widening from
	// a department to the cluster, in the system namespace. What an asset refers to
	// must cover all of this scope: names in it are looked up from here outwards,
	// and never from the namespace of a workload.
	// +required
	Scope Scope `json:"scope"`
}

// AssetName is the name of a Credential or of an asset, as workloads and assets
// write it.
//
// +kubebuilder:validation:MaxLength=52
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="the name of a credential or an asset is a DNS label of at most 52 characters: lower case letters, digits and '-'"
type AssetName string

// KeyReference names a key of a credential.
type KeyReference struct {
	// name of the credential.
	// +required
	Name AssetName `json:"name"`
	// key is a data key of the credential's Secret, or a role of its type; an exact
	// key wins.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",message="key must be a data key of a Secret, or a role: letters, digits, '-', '_' and '.'"
	Key string `json:"key"`
}

// AssetEnv is one environment variable: a value that is no secret, or a key of a
// credential.
//
// +kubebuilder:validation:XValidation:rule="has(self.value) != has(self.credential)",message="a variable needs either value or credential"
type AssetEnv struct {
	// name of the variable: printable ASCII characters other than "=".
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[ -<>-~]+$')",message="name must be one or more printable ASCII characters other than '='"
	Name string `json:"name"`
	// value is for what is no secret: everybody who may read the asset or the pod
	// sees it.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Value *string `json:"value,omitempty"`
	// credential is what the value is read from.
	// +optional
	Credential *KeyReference `json:"credential,omitempty"`
}

// CredentialMount mounts the keys of a credential as files, read-only.
type CredentialMount struct {
	// credential whose keys are mounted.
	// +required
	Credential AssetName `json:"credential"`
	// mountPath is the directory: an absolute path without ".", ".." and "//". Not at
	// or below /proc, /sys, /dev, /var/run/secrets/kubernetes.io and
	// /run/secrets/kubernetes.io, nor above the last two.
	// +required
	MountPath MountPath `json:"mountPath"`
	// mode of the files, from 0 to 0777. The default follows the user that a
	// container runs as.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=511
	Mode *int32 `json:"mode,omitempty"`
	// keys are the only ones that are mounted. The default is all.
	// +optional
	// +listType=map
	// +listMapKey=key
	// +kubebuilder:validation:MaxItems=64
	Keys []KeyFile `json:"keys,omitempty"`
}

// KeyFile is a key and the file that it becomes.
type KeyFile struct {
	// key is a data key of the credential's Secret, or a role of its type.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",message="key must be a data key of a Secret, or a role: letters, digits, '-', '_' and '.'"
	Key string `json:"key"`
	// file is a path relative to mountPath, without "..". The default is the key.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/') && !self.startsWith('..') && !self.matches('(^|/)[.]{0,2}(/|$)') && !self.matches('[[:cntrl:]]')",message="file must be a relative path without '.', '..' and '//', and must not begin with '..'"
	File string `json:"file,omitempty"`
}

// MountPath is a directory in a container: an absolute path without ".", "..",
// "//" and ":", that hides nothing a container needs.
//
// +kubebuilder:validation:MaxLength=512
// +kubebuilder:validation:XValidation:rule="self.matches('^(/[^/:]+)+/?$') && !self.matches('/[.][.]?(/|$)') && !self.matches('[[:cntrl:]]')",message="the path must be absolute, without '.', '..', '//' and ':'"
// +kubebuilder:validation:XValidation:rule="!self.matches('^/(proc|sys|dev)(/|$)') && !self.matches('^/(var|(var/)?run(/secrets)?)/?$') && !self.matches('^/(var/)?run/secrets/kubernetes[.]io(/|$)')",message="the path must not be at or below /proc, /sys, /dev, /var/run/secrets/kubernetes.io or /run/secrets/kubernetes.io, nor above the last two"
type MountPath string

// AssetStatus is what Credence made of an asset.
type AssetStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready and InUse.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// usedBy says who uses the asset.
	// +optional
	UsedBy UsedBy `json:"usedBy,omitempty"`
}
