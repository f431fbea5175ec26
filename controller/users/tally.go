// SPDX-License-Identifier: Apache-2.0

package users

import (
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/usage"
)

// Tally is who uses a credential, as a status says it.
type Tally struct {
	UsedBy       v1alpha1.UsedBy
	OutdatedPods int32
}

// Set makes a tally part of a status. Without one, which is while nobody knows,
// the status keeps what it has: after a restart that still is as good as ever.
func (t *Tally) Set(status *v1alpha1.CredentialStatus, now time.Time) {
	var used *v1alpha1.UsedBy
	if t != nil {
		used = &t.UsedBy
		status.UsedBy, status.OutdatedPods = t.UsedBy, t.OutdatedPods
	}
	SetInUse(&status.Conditions, asset.Credential, used, status.ObservedGeneration, now)
}

// SetInUse sets the condition InUse of a kind of object, nil standing for users that
// are not known. If there is one it then stays.
func SetInUse(conditions *[]metav1.Condition, kind asset.Kind, used *v1alpha1.UsedBy, generation int64, now time.Time) {
	if used == nil && meta.FindStatusCondition(*conditions, v1alpha1.ConditionInUse) != nil {
		return
	}
	condition := inUse(kind, used)
	condition.Type, condition.ObservedGeneration, condition.LastTransitionTime = v1alpha1.ConditionInUse, generation, metav1.NewTime(now)
	meta.SetStatusCondition(conditions, condition)
}

// inUse says of automatic pull secrets only that there are some: their number changes
// with every rollout.
func inUse(kind asset.Kind, used *v1alpha1.UsedBy) metav1.Condition {
	is := func(status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Status: status, Reason: reason, Message: message}
	}
	switch {
	case used == nil:
		return is(metav1.ConditionUnknown, v1alpha1.ReasonUsageUnknown, "who uses the "+kind.Word()+" is not known yet")
	case used.Total > 0:
		return is(metav1.ConditionTrue, v1alpha1.ReasonUsed, "used by "+usage.Numbers(used)+"; usedBy names them")
	case used.Automatic > 0:
		return is(metav1.ConditionFalse, v1alpha1.ReasonNotUsed,
			"nothing names the credential; workloads use it as an automatic pull secret (usedBy.automatic), which does not keep it from being deleted")
	}
	return is(metav1.ConditionFalse, v1alpha1.ReasonNotUsed, "nothing uses the "+kind.Word())
}

// Difference is how much two statuses differ in what this package owns.
type Difference int

// The differences.
const (
	// Same: not at all.
	Same Difference = iota
	// Lagging: in what may be told later, since it changes with every rollout:
	// automatic pull secrets, and pods with old values.
	Lagging
	// Different: in who names the credential.
	Different
)

// Compare says how much two statuses differ in what this package owns.
func Compare(before, after *v1alpha1.CredentialStatus) Difference {
	old, now := before.UsedBy, after.UsedBy
	was := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionInUse)
	is := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionInUse)
	same := old.Automatic == now.Automatic && before.OutdatedPods == after.OutdatedPods && equality.Semantic.DeepEqual(was, is)
	old.Automatic, now.Automatic = 0, 0
	switch {
	case !equality.Semantic.DeepEqual(old, now), (was == nil) != (is == nil), was != nil && (was.Status != is.Status || was.Reason != is.Reason):
		return Different
	case !same:
		return Lagging
	}
	return Same
}

// Others returns a status without what this package owns.
func Others(status *v1alpha1.CredentialStatus) v1alpha1.CredentialStatus {
	others := *status
	others.UsedBy, others.OutdatedPods, others.Conditions = v1alpha1.UsedBy{}, 0, nil
	for i := range status.Conditions {
		if status.Conditions[i].Type != v1alpha1.ConditionInUse {
			others.Conditions = append(others.Conditions, status.Conditions[i])
		}
	}
	return others
}
