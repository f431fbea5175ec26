// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Reasons and actions of events that are not those of a condition.
const (
	eventWithdrawn = "Withdrawn"

	actionSpread   = "Spread"
	actionWithdraw = "Withdraw"
	actionExpire   = "Expire"
)

// maxNamesTold bounds how many namespaces an event names.
const maxNamesTold = 5

// tellChanges records an event for each condition that means something else than
// before. Nothing is told twice, nor at a restart.
func (r *reconciler) tellChanges(c *v1alpha1.Credential, before *v1alpha1.CredentialStatus) {
	if ready, changed := change(c, before, v1alpha1.ConditionReady); changed {
		switch ready.Reason {
		case v1alpha1.ReasonPropagating, v1alpha1.ReasonTerminating: // soon over, or asked for
		case v1alpha1.ReasonPropagated:
			r.recorder.Eventf(c, nil, corev1.EventTypeNormal, ready.Reason, actionSpread, "%s", ready.Message)
		default:
			r.recorder.Eventf(c, nil, corev1.EventTypeWarning, ready.Reason, actionSpread, "%s", explain(ready, c))
		}
	}
	if expiring, changed := change(c, before, v1alpha1.ConditionExpiring); changed && expiring.Status == metav1.ConditionTrue {
		r.recorder.Eventf(c, nil, corev1.EventTypeWarning, expiring.Reason, actionExpire, "%s", expiring.Message)
	}
}

func change(c *v1alpha1.Credential, before *v1alpha1.CredentialStatus, condition string) (now *metav1.Condition, changed bool) {
	now = meta.FindStatusCondition(c.Status.Conditions, condition)
	old := meta.FindStatusCondition(before.Conditions, condition)
	return now, now != nil && (old == nil || old.Reason != now.Reason)
}

// explain adds the first issue to what is told of issues.
func explain(ready *metav1.Condition, c *v1alpha1.Credential) string {
	if ready.Reason != v1alpha1.ReasonNamespaceIssues || len(c.Status.Issues) == 0 {
		return ready.Message
	}
	first := c.Status.Issues[0]
	return fmt.Sprintf("%d issues, the first in namespace %s: %s: %s", c.Status.IssuesTotal, first.Namespace, first.Reason, first.Message)
}

// tellWithdrawn records which copies went, and why.
func (r *reconciler) tellWithdrawn(o *observation) {
	why := "not in scope any more, or a narrower credential is used there"
	switch {
	case !o.credential.DeletionTimestamp.IsZero():
		why = "the credential is being deleted"
	case o.problem != nil && o.problem.Withdraws():
		why = o.problem.Message
	}
	var names []string
	for _, c := range o.report.Removed {
		names = append(names, c.Namespace)
	}
	slices.Sort(names)
	more := ""
	if len(names) > maxNamesTold {
		more = fmt.Sprintf(" and %d more", len(names)-maxNamesTold)
		names = names[:maxNamesTold]
	}
	r.recorder.Eventf(o.credential, nil, corev1.EventTypeNormal, eventWithdrawn, actionWithdraw,
		"withdrew the copy from %s%s: %s", strings.Join(names, ", "), more, why)
}
