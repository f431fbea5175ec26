// SPDX-License-Identifier: Apache-2.0

package users

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/usage"
)

// Tally is who uses a credential, as a status says it.
type Tally struct {
	UsedBy       v1alpha1.UsedBy
	OutdatedPods int32
}

func newTally(users usage.Users) *Tally {
	used := v1alpha1.UsedBy{
		Total:     int32(len(users.Workloads) + len(users.Templates)),
		Workloads: int32(len(users.Workloads)),
		Templates: int32(len(users.Templates)),
		Automatic: int32(len(users.Automatic)),
	}
	for _, list := range [][]usage.User{users.Workloads, users.Templates} {
		for _, user := range list {
			if len(used.Names) < v1alpha1.MaxStatusUsers {
				used.Names = append(used.Names, user.String())
			}
		}
	}
	return &Tally{UsedBy: used}
}

// Set makes a tally part of a status. Without one, which is while nobody knows,
// the status keeps what it has: after a restart that still is as good as ever.
func (t *Tally) Set(status *v1alpha1.CredentialStatus, now time.Time) {
	condition := metav1.Condition{
		Type: v1alpha1.ConditionInUse, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonUsageUnknown,
		Message: "who uses the credential is not known yet",
	}
	switch {
	case t != nil:
		status.UsedBy, status.OutdatedPods = t.UsedBy, t.OutdatedPods
		condition.Status, condition.Reason, condition.Message = t.inUse()
	case meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionInUse) != nil:
		return
	}
	condition.ObservedGeneration = status.ObservedGeneration
	condition.LastTransitionTime = metav1.NewTime(now)
	meta.SetStatusCondition(&status.Conditions, condition)
}

// inUse is the condition InUse. Its message says of automatic pull secrets only
// that there are some: their number changes with every rollout.
func (t *Tally) inUse() (metav1.ConditionStatus, string, string) {
	used := &t.UsedBy
	switch {
	case used.Total > 0:
		return metav1.ConditionTrue, v1alpha1.ReasonUsed, "used by " + numbers(used) + "; usedBy names them"
	case used.Automatic > 0:
		return metav1.ConditionFalse, v1alpha1.ReasonNotUsed,
			"nothing names the credential; workloads use it as an automatic pull secret (usedBy.automatic), which does not keep it from being deleted"
	}
	return metav1.ConditionFalse, v1alpha1.ReasonNotUsed, "nothing uses the credential"
}

// numbers says how many users of each kind there are.
func numbers(used *v1alpha1.UsedBy) string {
	var parts []string
	for _, part := range []struct {
		count int32
		what  string
	}{
		{used.Workloads, "workload"}, {used.Templates, "template"}, {used.Environments, "environment"}, {used.DataSources, "data source"},
	} {
		if part.count > 0 {
			parts = append(parts, Plural(int(part.count), part.what))
		}
	}
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}

// Plural says how many there are of something.
func Plural(count int, what string) string {
	if count != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", count, what)
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
