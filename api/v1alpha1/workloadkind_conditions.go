// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// LabelAggregateToController with the value "true" gives the rights of a ClusterRole to
// the controller. It is how rights on the kinds of WorkloadKinds come.
const LabelAggregateToController = "credence.dev/aggregate-to-controller"

// Reasons of the condition Ready of a WorkloadKind.
const (
	// ReasonFollowed: the kind is followed, and annotations on its objects are carried
	// to their pod templates.
	ReasonFollowed = "Followed"
	// ReasonBuiltIn: Credence knows the kind by itself, so the WorkloadKind has no
	// effect. Delete it.
	ReasonBuiltIn = "BuiltIn"
	// ReasonDuplicate: an older WorkloadKind tells of the same kind. Delete one of them.
	ReasonDuplicate = "Duplicate"
	// ReasonNoSuchKind: the API server does not serve the kind in that version, or not
	// in namespaces. Install what defines it, or correct apiVersion and kind.
	ReasonNoSuchKind = "NoSuchKind"
	// ReasonPathInvalid: by the schema of the kind there is no pod template at one of
	// the paths, or one whose annotations are not kept. Correct the path.
	ReasonPathInvalid = "PathInvalid"
	// ReasonNoRights: the controller may not follow the kind. Make a ClusterRole that
	// lets it, with the label credence.dev/aggregate-to-controller: "true".
	ReasonNoRights = "NoRights"
)
