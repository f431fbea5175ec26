// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Conditions of a Credential.
const (
	// ConditionReady is True when the source is valid and every namespace in
	// scope has its copy.
	ConditionReady = "Ready"
	// ConditionInUse is True while a workload, a template or an asset refers to
	// the credential.
	ConditionInUse = "InUse"
	// ConditionExpiring is True from 30 days before expiresAt.
	ConditionExpiring = "Expiring"
)

// Reasons of the condition Ready.
const (
	// ReasonPropagated: every namespace in scope has its copy.
	ReasonPropagated = "Propagated"
	// ReasonPropagating: the source is valid, and some namespaces still wait for
	// their copy.
	ReasonPropagating = "Propagating"
	// ReasonNamespaceIssues: the source is valid, and in some namespaces the copy
	// cannot be made; issues tells where and why.
	ReasonNamespaceIssues = "NamespaceIssues"
	// ReasonNotAProject: the Credential lives in a namespace that is no project,
	// no department's home and not the system namespace. Label the namespace, or
	// create the Credential elsewhere.
	ReasonNotAProject = "NotAProject"
	// ReasonWrongNamespace: the Credential's namespace does not fit its scope,
	// such as a cluster's credential in a project.
	ReasonWrongNamespace = "WrongNamespace"
	// ReasonSourceMissing: the source does not exist. Copies that were made stay.
	ReasonSourceMissing = "SourceMissing"
	// ReasonSourceNotAuthorized: the source lacks the labels that authorize it,
	// for this scope or at all. The copies are withdrawn.
	ReasonSourceNotAuthorized = "SourceNotAuthorized"
	// ReasonSourceNotAllowed: the source is of a kind that is never one, whatever
	// its labels, such as a service account's token. The copies are withdrawn.
	ReasonSourceNotAllowed = "SourceNotAllowed"
	// ReasonSourceInUse: an older Credential has the same source.
	ReasonSourceInUse = "SourceInUse"
	// ReasonSourceInvalid: the source has the wrong type, lacks a key that the
	// credential's type needs, or cannot be parsed.
	ReasonSourceInvalid = "SourceInvalid"
	// ReasonNoProject: no project has the department of the scope. Label the
	// department's projects, or correct the department.
	ReasonNoProject = "NoProject"
	// ReasonTerminating: the Credential is being deleted.
	ReasonTerminating = "Terminating"
	// ReasonHeld: the Credential is being deleted together with the resource
	// Credential itself. That may be a mistake, so it and its copies stay until somebody
	// releases them.
	ReasonHeld = "Held"
)

// Reasons of the condition Ready of an asset. NotAProject, WrongNamespace and
// Terminating are as those of a Credential.
const (
	// ReasonResolved: all that the asset refers to can be had in every project of its
	// scope.
	ReasonResolved = "Resolved"
	// ReasonReferenceNotFound: something that the asset refers to does not exist, or
	// does not cover all of the asset's scope. Create it, or correct the name.
	ReasonReferenceNotFound = "ReferenceNotFound"
	// ReasonReferenceInvalid: something that the asset refers to is not what it needs,
	// such as a credential of another type or without the key.
	ReasonReferenceInvalid = "ReferenceInvalid"
	// ReasonReferenceNotReady: something that the asset refers to cannot be used now;
	// its own status says why.
	ReasonReferenceNotReady = "ReferenceNotReady"
	// ReasonConflict: two things in the asset, or in what it refers to, want one
	// variable or one path.
	ReasonConflict = "Conflict"
)

// Reasons of the condition InUse.
const (
	// ReasonUsed: usedBy says by whom.
	ReasonUsed = "Used"
	// ReasonNotUsed: nothing refers to the credential.
	ReasonNotUsed = "NotUsed"
	// ReasonUsageUnknown: the usage index is not built yet.
	ReasonUsageUnknown = "UsageUnknown"
)

// Reasons of the condition Expiring.
const (
	// ReasonExpiresSoon: expiresAt is at most 30 days ahead.
	ReasonExpiresSoon = "ExpiresSoon"
	// ReasonExpired: expiresAt has passed.
	ReasonExpired = "Expired"
	// ReasonNotExpiring: expiresAt is unset or far.
	ReasonNotExpiring = "NotExpiring"
)

// Reasons of an issue in one namespace.
const (
	// IssueNameTaken: another Secret has the Kubernetes name. It is never touched;
	// rename or remove it, unless it is the source of another Credential.
	IssueNameTaken = "NameTaken"
	// IssueShadowed: a narrower credential of the same name is used there instead.
	IssueShadowed = "Shadowed"
	// IssueQuotaExceeded: the namespace's quota does not allow another Secret.
	IssueQuotaExceeded = "QuotaExceeded"
	// IssueAdmissionRefused: an admission webhook or policy refused the copy.
	IssueAdmissionRefused = "AdmissionRefused"
	// IssueNamespaceTerminating: the namespace is being deleted.
	IssueNamespaceTerminating = "NamespaceTerminating"
	// IssueCopyBlocked: the copy cannot be written, for example because it was
	// made immutable; it is being made again.
	IssueCopyBlocked = "CopyBlocked"
	// IssueInUse: the copy is to go, and stays while pods or workloads there use it;
	// the message names some. Detach the credential from them.
	IssueInUse = "InUse"
	// IssueDraining: the copy is to go, and nothing uses it; it stays for a moment,
	// because a pod that does may be about to be created.
	IssueDraining = "Draining"
	// IssueLeftScope: the namespace is in the scope no more, and pods there still
	// have the credential injected. Put it back into the scope, or take the
	// annotation off.
	IssueLeftScope = "LeftScope"
	// IssueWriteFailed: the API server did not take the copy; tried again.
	IssueWriteFailed = "WriteFailed"
)
