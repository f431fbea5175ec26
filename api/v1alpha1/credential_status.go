// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CredentialState is the one word for how a credential fares.
//
// +kubebuilder:validation:Enum=Creating;NoIssuesFound;IssuesFound;Deleting
type CredentialState string

// The states of a credential. An empty state means that nothing was observed
// yet.
const (
	// StateCreating: the credential is being spread for the first time.
	StateCreating CredentialState = "Creating"
	// StateNoIssuesFound: the source is valid and every namespace has its copy.
	StateNoIssuesFound CredentialState = "NoIssuesFound"
	// StateIssuesFound: the source or a namespace has an issue; issues tells which.
	StateIssuesFound CredentialState = "IssuesFound"
	// StateDeleting: the credential is being deleted.
	StateDeleting CredentialState = "Deleting"
)

// Bounds of the lists in a status, which keep it below the size limit of an
// object however many namespaces a cluster has.
const (
	// MaxStatusNamespaces bounds pendingNamespaces and takenNamespaces.
	MaxStatusNamespaces = 500
	// MaxStatusIssues bounds issues.
	MaxStatusIssues = 20
	// MaxStatusKeys bounds keys.
	MaxStatusKeys = 1024
	// MaxStatusRegistries bounds registries.
	MaxStatusRegistries = 64
	// MaxStatusUsers bounds usedBy.names.
	MaxStatusUsers = 20
)

// CredentialStatus is what Credence made of a credential. It never holds a
// value, nor anything a value could be guessed from.
type CredentialStatus struct {
	// state is the one word for how the credential fares.
	// +optional
	State CredentialState `json:"state,omitempty"`
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, InUse and Expiring.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// kubernetesName is the name of the Secret that pods refer to.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	KubernetesName string `json:"kubernetesName,omitempty"`
	// keys are the data keys of the Secret, with the roles they play.
	// +optional
	// +listType=map
	// +listMapKey=key
	// +kubebuilder:validation:MaxItems=1024
	Keys []SecretKey `json:"keys,omitempty"`
	// registries are the patterns of images that a docker-registry credential
	// serves, as the kubelet reads them; never the logins.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=512
	Registries []string `json:"registries,omitempty"`
	// namespaces counts the namespaces in scope.
	// +optional
	Namespaces NamespaceCounts `json:"namespaces,omitempty"`
	// pendingNamespaces are namespaces in scope that have no copy yet. Complete to
	// 500 names; namespaces.truncated says when names are left out.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MaxLength=63
	PendingNamespaces []string `json:"pendingNamespaces,omitempty"`
	// takenNamespaces are namespaces in scope where another Secret has the
	// Kubernetes name. Complete to 500 names, like pendingNamespaces.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MaxLength=63
	TakenNamespaces []string `json:"takenNamespaces,omitempty"`
	// issues are the first 20 issues found while spreading the credential.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Issues []NamespaceIssue `json:"issues,omitempty"`
	// issuesTotal is how many issues there are, those left out included.
	// +optional
	IssuesTotal int32 `json:"issuesTotal,omitempty"`
	// usedBy says who uses the credential.
	// +optional
	UsedBy UsedBy `json:"usedBy,omitempty"`
	// fingerprint is a keyed digest of the values, "<key id>:<HMAC>": it tells that
	// they changed and nothing else. Fingerprints of different keys say nothing
	// about change.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Fingerprint string `json:"fingerprint,omitempty"`
	// rotatedAt is when a change of the values was last seen. Unset as long as the
	// values are those that the credential began with.
	// +optional
	RotatedAt *metav1.Time `json:"rotatedAt,omitempty"`
	// outdatedPods is how many running pods still have values from before the last
	// change: a container of theirs reads the credential through environment
	// variables and started before. Mounted files refresh by themselves.
	// +optional
	OutdatedPods int32 `json:"outdatedPods,omitempty"`
}

// SecretKey is one data key of a Secret.
type SecretKey struct {
	// key is the data key.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
	// role is what the key is to the credential's type; empty where it is nothing
	// special.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Role string `json:"role,omitempty"`
}

// NamespaceCounts counts the namespaces of a credential's scope.
type NamespaceCounts struct {
	// desired is how many namespaces should have the Secret.
	// +optional
	Desired int32 `json:"desired"`
	// ready is how many have it with the source's values.
	// +optional
	Ready int32 `json:"ready"`
	// truncated says that pendingNamespaces or takenNamespaces are cut at 500.
	// +optional
	Truncated bool `json:"truncated,omitempty"`
}

// NamespaceIssue is what stands in the way in one namespace.
type NamespaceIssue struct {
	// namespace it is about.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// reason is one of the Issue… constants.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Reason string `json:"reason"`
	// message says in words what is wrong and how to mend it.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}

// UsedBy counts the users of a credential or an asset.
type UsedBy struct {
	// total is how many use it: workloads, templates, environments and dataSources
	// together.
	// +optional
	Total int32 `json:"total"`
	// workloads that refer to it, by their top-level owners.
	// +optional
	Workloads int32 `json:"workloads"`
	// templates that refer to it: WorkloadTemplates and PodTemplates.
	// +optional
	Templates int32 `json:"templates"`
	// environments that refer to it, if it is a credential.
	// +optional
	Environments int32 `json:"environments"`
	// dataSources that refer to it, if it is a credential.
	// +optional
	DataSources int32 `json:"dataSources"`
	// automatic is how many workloads got a credential only as an automatic pull secret.
	// They do not keep it from being deleted.
	// +optional
	Automatic int32 `json:"automatic"`
	// names are at most 20 of them, "<Kind> <namespace>/<name>".
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=512
	Names []string `json:"names,omitempty"`
}
