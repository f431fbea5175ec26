// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DataSource is data that workloads mount by name: a Git repository, a part of an
// S3 bucket, or the keys of a credential.
//
// It lives where a Credential of its scope would.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=cds,categories=credence
// +kubebuilder:printcolumn:name="Scope",type=string,JSONPath=`.spec.scope.level`
// +kubebuilder:printcolumn:name="Repository",type=string,JSONPath=`.spec.git.repository`
// +kubebuilder:printcolumn:name="Bucket",type=string,JSONPath=`.spec.s3.bucket`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Used by",type=integer,JSONPath=`.status.usedBy.total`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Department",type=string,JSONPath=`.spec.scope.department`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 52 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must be a DNS label of at most 52 characters: lower case letters, digits and '-'; it is what workloads write",fieldPath=".metadata"
type DataSource struct {
	metav1.TypeMeta `json:",inline"`
	// metadata.name is the identity that workloads name, for good: a DNS label of
	// at most 52 characters.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the data is, and who may use it.
	// +required
	Spec DataSourceSpec `json:"spec"`
	// status is what Credence made of it. Written by the controller only.
	// +optional
	Status AssetStatus `json:"status,omitempty"`
}

// DataSourceList is a list of DataSources.
//
// +kubebuilder:object:root=true
type DataSourceList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	// items are the DataSources.
	Items []DataSource `json:"items"`
}

// DataSourceSpec is what the data is, and who may use it.
//
// +kubebuilder:validation:XValidation:rule="[has(self.git), has(self.s3), has(self.secret)].filter(one, one).size() == 1",message="a data source is exactly one of git, s3 and secret"
type DataSourceSpec struct {
	AssetHead `json:",inline"`
	// git is a repository.
	// +optional
	Git *GitSource `json:"git,omitempty"`
	// s3 is a part of a bucket.
	// +optional
	S3 *S3Source `json:"s3,omitempty"`
	// secret is the keys of a credential.
	// +optional
	Secret *CredentialMount `json:"secret,omitempty"`
}

// GitSource is a Git repository that is fetched before a pod's containers start.
//
// +kubebuilder:validation:XValidation:rule="!self.repository.matches('^(ssh://|[a-z_][a-z0-9_-]*@)') || has(self.credential) || (has(self.skipHostKeyCheck) && self.skipHostKeyCheck)",message="a repository that is reached by SSH needs a credential with the key known_hosts, or skipHostKeyCheck"
type GitSource struct {
	// repository is its address: https://…, ssh://… or user@host:path. An address
	// holds no password; a credential does.
	// +required
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^(https://|ssh://|[a-z_][a-z0-9_-]*@)')",message="repository must begin with https://, ssh:// or user@"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^(https://|ssh://)?([^/@]*@)?([^A-Za-z0-9_[]|$)')",message="repository must name a host, which begins with a letter or a digit"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[!-~]+$')",message="repository must be made of printable ASCII characters other than blanks"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^https://[^/]*@') && !self.matches('^ssh://[^/@]*:[^/]*@')",message="repository must not hold a user's password: name a credential"
	Repository string `json:"repository"`
	// branch to fetch. The default is the repository's own.
	// +optional
	Branch GitName `json:"branch,omitempty"`
	// revision is a tag or a hash, and goes before the branch.
	// +optional
	Revision GitName `json:"revision,omitempty"`
	// path is where the repository is mounted. Its tree is below, at the name "repo",
	// a symbolic link that an update replaces as a whole.
	// +required
	Path MountPath `json:"path"`
	// credential to fetch with: a password for https://, an ssh-key for the others.
	// Unset for a repository that anybody may read.
	// +optional
	Credential AssetName `json:"credential,omitempty"`
	// skipHostKeyCheck accepts whatever host answers. Without it, a credential of
	// type ssh-key needs the key known_hosts.
	// +optional
	SkipHostKeyCheck bool `json:"skipHostKeyCheck,omitempty"`
	// period is how often to fetch again while the pod runs. Unset, the repository is
	// fetched once.
	// +optional
	Period *Period `json:"period,omitempty"`
}

// GitName is the name of a branch or a tag, or a hash.
//
// +kubebuilder:validation:MaxLength=255
// +kubebuilder:validation:XValidation:rule="self.matches('^[!-,./-~][!-~]*$')",message="the name of a branch, a tag or a hash has no blanks and does not begin with '-'"
type GitName string

// Period is a duration of at least ten seconds, such as "90s" or "1h30m".
//
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(s|m|h))+$') && duration(self) >= duration('10s') && duration(self) <= duration('8760h')",message="period must be a duration of 10 seconds to a year, such as 90s or 1h30m"
type Period string

// S3Source is a part of a bucket that is fetched before a pod's containers start.
type S3Source struct {
	// endpoint is the address of the server, such as https://s3.example.com. The
	// default is that of AWS.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[A-Za-z0-9.:_\\\\[\\\\]-]+(/[!-~]*)?$')",message="endpoint must be an address such as https://s3.example.com, without a user or a password"
	Endpoint string `json:"endpoint,omitempty"`
	// bucket to fetch from.
	// +required
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9][A-Za-z0-9._-]*$')",message="bucket must be the name of a bucket: letters, digits, '.', '_' and '-', with a letter or digit first"
	Bucket string `json:"bucket"`
	// prefix of what to fetch. The default is all.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('-') && !self.startsWith('/') && !self.matches('(^|/)[.][.]?(/|$)') && !self.matches('[[:cntrl:]]')",message="prefix must not begin with '-' or '/', nor hold '.', '..' or control characters"
	Prefix string `json:"prefix,omitempty"`
	// region of the bucket.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9][A-Za-z0-9-]*$')",message="region must be made of letters, digits and '-'"
	Region string `json:"region,omitempty"`
	// path is where what was fetched is mounted.
	// +required
	Path MountPath `json:"path"`
	// credential to fetch with, of type access-key. Unset for a bucket that anybody
	// may read.
	// +optional
	Credential AssetName `json:"credential,omitempty"`
	// period is how often to fetch again while the pod runs. Unset, it is fetched
	// once.
	// +optional
	Period *Period `json:"period,omitempty"`
}
