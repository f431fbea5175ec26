// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Labels on namespaces. The first three are defaults: a setting can name the
// labels that a cluster already has.
const (
	// LabelProject makes a namespace a project.
	LabelProject = "credence.dev/project"
	// LabelProjectID is the project's number for REST clients.
	LabelProjectID = "credence.dev/project-id"
	// LabelDepartment says which department a project belongs to.
	LabelDepartment = "credence.dev/department"
	// LabelDepartmentHome makes a namespace the home of a department's
	// credentials and sources.
	LabelDepartmentHome = "credence.dev/department-home"
)

// Labels on Secrets.
const (
	// LabelCopyOf marks a copy and names its Credential.
	LabelCopyOf = "credence.dev/copy-of"
	// LabelSourceOf marks a source that Credence made together with a Credential
	// and names it. Such a Secret is never offered as an existing secret.
	LabelSourceOf = "credence.dev/source-of"

	// LabelManagedBy is Kubernetes' recommended label; ManagedByCredence its
	// value on copies.
	LabelManagedBy    = "app.kubernetes.io/managed-by"
	ManagedByCredence = "credence"
)

// LabelCABundle marks a ConfigMap with certificates that Credence keeps in a project
// for pods that fetch data sources. Its value is a fingerprint of them.
const LabelCABundle = "credence.dev/ca-bundle"

// Labels that authorize a Secret made in advance as a source. The words are
// those of clusters that have used such Secrets before, so that theirs work
// unchanged.
const (
	// LabelSourceType is "docker-registry", "access-key", "password" or
	// "generic".
	LabelSourceType = "run.ai/resource"
	// LabelSourceClusterWide set to "true" authorizes use in the whole cluster.
	LabelSourceClusterWide = "run.ai/cluster-wide"
	// LabelSourceDepartment authorizes use in the department it names.
	LabelSourceDepartment = "run.ai/department"
)

// Names that Credence writes under.
const (
	// FieldManager is the server-side-apply manager of copies.
	FieldManager = "credence"
	// Finalizer holds a Credential until its copies may go.
	Finalizer = "credence.dev/copies"
)
