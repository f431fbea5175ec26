// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Annotations that people write on a pod template, a pod or a workload to ask
// for credentials. Each is one small fact, so that overlays merge.
const (
	// AnnotationCredentials lists credentials to inject in their default way:
	// "openai, hub".
	AnnotationCredentials = "credence.dev/credentials"
	// AnnotationEnv holds one variable a line, "<VAR>=<credential>/<key or role>",
	// for variable names that an annotation key cannot hold.
	AnnotationEnv = "credence.dev/env"
	// AnnotationEnvironment names the Environment to inject.
	AnnotationEnvironment = "credence.dev/environment"
	// AnnotationDataSources lists DataSources to inject.
	AnnotationDataSources = "credence.dev/data-sources"
	// AnnotationTemplate names the WorkloadTemplate to inject.
	AnnotationTemplate = "credence.dev/template"
	// AnnotationContainers lists the only containers that get anything.
	AnnotationContainers = "credence.dev/containers"
	// AnnotationInject set to "false" keeps everything out of the pod, automatic
	// pull secrets included.
	AnnotationInject = "credence.dev/inject"

	// AnnotationEnvPrefix and a variable name make one environment variable:
	// env.credence.dev/TOKEN: "<credential>/<key or role>[;containers=a,b]".
	AnnotationEnvPrefix = "env.credence.dev/"
	// AnnotationMountPrefix and any name make one read-only mount:
	// mount.credence.dev/keys:
	// "<credential>:<path>[;mode=0440][;keys=<key>[=<file>],…][;containers=a,b]".
	AnnotationMountPrefix = "mount.credence.dev/"
)

// Annotations that Credence writes on pods and workloads. People may read them;
// Credence never trusts them: it knows its own work by content.
const (
	// AnnotationInjected records, on a pod, what each credential became there.
	AnnotationInjected = "credence.dev/injected"
	// AnnotationWarnings holds, on a pod that something controls, what its author was
	// warned of when it was injected, as a JSON list. Nobody reads the answers that
	// controllers get, so it is told once more, by an event on the workload.
	AnnotationWarnings = "credence.dev/warnings"
	// AnnotationRestartedFor holds, on a pod template, the fingerprint that the
	// workload was last restarted for; of several credentials, their fingerprints,
	// sorted and with commas between.
	AnnotationRestartedFor = "credence.dev/restarted-for"
	// AnnotationRestarts records, on a workload, for which changes of which
	// credentials it was restarted, as JSON, so that it is done once for each.
	AnnotationRestarts = "credence.dev/restarts"
	// AnnotationCarried lists, on a workload, the annotations that were carried
	// from it to its pod template.
	AnnotationCarried = "credence.dev/carried"
)

// Annotations on Credence's own objects, on sources and on copies.
const (
	// AnnotationCreatedBy names the user who created the object. Stamped at
	// admission; nobody can set it otherwise.
	AnnotationCreatedBy = "credence.dev/created-by"
	// AnnotationUpdatedBy names the user who last changed the object's spec.
	AnnotationUpdatedBy = "credence.dev/updated-by"
	// AnnotationForceDelete ends protection: "true" lets a credential and its
	// copies go although they are in use, "keep" leaves the copies as ordinary
	// Secrets.
	AnnotationForceDelete = "credence.dev/force-delete"
	// AnnotationPending marks a new source whose Credential does not exist yet.
	AnnotationPending = "credence.dev/pending"
	// AnnotationCopyOfUID holds, on a copy, the UID of the Credential.
	AnnotationCopyOfUID = "credence.dev/copy-of-uid"
	// AnnotationFingerprint holds, on a copy, a keyed digest of its data:
	// "<key id>:<HMAC>".
	AnnotationFingerprint = "credence.dev/fingerprint"
	// AnnotationReleaseStrays, on the controller's Lease, holds a time as RFC 3339
	// has it, at most an hour ahead. Until then copies without a Credential are
	// removed, however many they are.
	AnnotationReleaseStrays = "credence.dev/release-strays"
	// AnnotationKeptCopies, on the controller's Lease, holds as JSON the names, by
	// UID, of Credentials that were deleted with force-delete: keep and of which
	// copies may still have our marks. The controller writes it.
	AnnotationKeptCopies = "credence.dev/kept-copies"
	// AnnotationRotatedAt says, on a copy, when its values last changed, as RFC 3339
	// has it. A copy that has the values it began with has none.
	AnnotationRotatedAt = "credence.dev/rotated-at"
)
