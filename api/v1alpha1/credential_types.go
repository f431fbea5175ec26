// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Credential is a secret that workloads use by name: a registry login, an access
// key, a password, an SSH key or any key/value secret. It says what the secret
// is, how wide it may be used, and where its values are. The values themselves
// are in the Secret that secretRef names and nowhere else.
//
// A project's Credential lives in the project's namespace, a department's in
// its home or the system namespace, a cluster's in the system namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=cred,categories=credence
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Scope",type=string,JSONPath=`.spec.scope.level`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Used by",type=integer,JSONPath=`.status.usedBy.total`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Department",type=string,JSONPath=`.spec.scope.department`,priority=1
// +kubebuilder:printcolumn:name="Kubernetes name",type=string,JSONPath=`.status.kubernetesName`,priority=1
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.spec.expiresAt`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 52 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must be a DNS label of at most 52 characters: lower case letters, digits and '-'; it is what workloads write",fieldPath=".metadata"
type Credential struct {
	metav1.TypeMeta `json:",inline"`
	// metadata.name is the identity that workloads name, for good: a DNS label of
	// at most 52 characters.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the credential is and who may use it.
	// +required
	Spec CredentialSpec `json:"spec"`
	// status is what Credence made of it. Written by the controller only.
	// +optional
	Status CredentialStatus `json:"status,omitempty"`
}

// CredentialList is a list of Credentials.
//
// +kubebuilder:object:root=true
type CredentialList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	// items are the Credentials.
	Items []Credential `json:"items"`
}

// CredentialType is what a credential is. It decides which keys the source must
// have, how the credential is injected when a workload just names it, and the
// name of its copies.
//
// +kubebuilder:validation:Enum=docker-registry;access-key;password;ssh-key;generic
type CredentialType string

// The types of credentials.
const (
	// DockerRegistry is a login to container registries. It is used automatically
	// for images that the registries serve.
	DockerRegistry CredentialType = "docker-registry"
	// AccessKey is an access key id with its secret, as S3 takes it.
	AccessKey CredentialType = "access-key"
	// Password is a user name with a password.
	Password CredentialType = "password"
	// SSHKey is a private key, with known hosts if one has them.
	SSHKey CredentialType = "ssh-key"
	// Generic is any set of keys and values.
	Generic CredentialType = "generic"
)

// ScopeLevel is how wide a credential may be used.
//
// +kubebuilder:validation:Enum=cluster;department;project
type ScopeLevel string

// The levels of scope, from the widest to the narrowest.
const (
	// ScopeCluster covers every project.
	ScopeCluster ScopeLevel = "cluster"
	// ScopeDepartment covers the projects of one department.
	ScopeDepartment ScopeLevel = "department"
	// ScopeProject covers the project whose namespace the object lives in.
	ScopeProject ScopeLevel = "project"
)

// Scope says which projects may use an object.
//
// +kubebuilder:validation:XValidation:rule="(self.level == 'department') == has(self.department)",message="department must be set for the level department, and only for it"
type Scope struct {
	// level is how wide the scope is.
	// +required
	Level ScopeLevel `json:"level"`
	// department is the id of the department, for the level department: the value
	// of the department label on the namespaces of its projects.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')",message="department must be the value of a label: letters, digits, '-', '_' and '.', with a letter or digit first and last"
	Department string `json:"department,omitempty"`
}

// PropagationPolicy says where copies are made.
//
// +kubebuilder:validation:Enum=Always;OnDemand
type PropagationPolicy string

// The propagation policies.
const (
	// PropagateAlways keeps a copy in every namespace in scope.
	PropagateAlways PropagationPolicy = "Always"
	// PropagateOnDemand keeps copies only where something uses the credential.
	PropagateOnDemand PropagationPolicy = "OnDemand"
)

// CredentialSpec is what a credential is and who may use it.
//
// +kubebuilder:validation:XValidation:rule="self.type == oldSelf.type",message="type is immutable; create another credential"
// +kubebuilder:validation:XValidation:rule="self.scope == oldSelf.scope || (oldSelf.scope.level == 'department' && self.scope.level == 'cluster')",message="scope is immutable, except that a department's credential may be widened to the cluster"
// +kubebuilder:validation:XValidation:rule="self.scope.level != 'project' || self.secretRef == oldSelf.secretRef",message="secretRef is immutable for project scope: it is the name that pods refer to"
type CredentialSpec struct {
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
	// type is what the credential is. Immutable.
	// +required
	Type CredentialType `json:"type"`
	// scope says which projects may use the credential. Immutable, but for
	// widening from a department to the cluster, in the system namespace.
	// +required
	Scope Scope `json:"scope"`
	// secretRef is the source: the Secret that holds the values, in this namespace.
	// For project scope it is the name that pods refer to, and immutable.
	// +required
	SecretRef SecretReference `json:"secretRef"`
	// injection says what a workload gets that just names the credential. The
	// default follows from the type.
	// +optional
	Injection *Injection `json:"injection,omitempty"`
	// propagation says where copies are made: in every namespace in scope, or only
	// where something uses the credential. Going from Always to OnDemand removes
	// the copies that nothing uses.
	// +optional
	// +kubebuilder:default=Always
	Propagation PropagationPolicy `json:"propagation,omitempty"`
	// rotation says what happens when the values change.
	// +optional
	Rotation *Rotation `json:"rotation,omitempty"`
	// expiresAt is when the values stop working. Credence tells of it 30 days
	// ahead, by a condition, an event and a metric, and withdraws nothing.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
}

// SecretReference names a Secret in the same namespace.
type SecretReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="name must be the name of a Secret: lower case letters, digits, '-' and '.', with a letter or digit first and last in each part"
	Name string `json:"name"`
}

// Injection is what a workload gets that just names the credential.
//
// +kubebuilder:validation:XValidation:rule="has(self.mountPath) || (has(self.env) && self.env.size() > 0)",message="injection needs env or mountPath"
type Injection struct {
	// env lists environment variables and the keys they are read from.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Env []InjectionEnv `json:"env,omitempty"`
	// mountPath is the directory that gets one file for each key: an absolute path
	// without ".", ".." and "//". Not at or below /proc, /sys, /dev,
	// /var/run/secrets/kubernetes.io and /run/secrets/kubernetes.io, nor above the last
	// two, which are one directory in most images.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^(/[^/:]+)+/?$') && !self.matches('/[.][.]?(/|$)')",message="mountPath must be an absolute path without '.', '..', '//' and ':'"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^/(proc|sys|dev)(/|$)') && !self.matches('^/(var|(var/)?run(/secrets)?)/?$') && !self.matches('^/(var/)?run/secrets/kubernetes[.]io(/|$)')",message="mountPath must not be at or below /proc, /sys, /dev, /var/run/secrets/kubernetes.io or /run/secrets/kubernetes.io, nor above the last two"
	MountPath string `json:"mountPath,omitempty"`
}

// InjectionEnv is one environment variable.
type InjectionEnv struct {
	// name of the variable: printable ASCII characters other than "=".
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[ -<>-~]+$')",message="name must be one or more printable ASCII characters other than '='"
	Name string `json:"name"`
	// key is a data key of the Secret, or a role of the credential's type; an exact
	// key wins.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",message="key must be a data key of a Secret, or a role: letters, digits, '-', '_' and '.'"
	Key string `json:"key"`
}

// Rotation says what happens when the values change. Copies are always brought
// up to date, and mounted files refresh by themselves.
type Rotation struct {
	// restart rolls the workloads that read the credential through environment
	// variables, once for each change. The default is false.
	// +optional
	Restart bool `json:"restart,omitempty"`
}
