// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/words"
)

// Reasons and actions of events that are not those of a condition.
const (
	eventWithdrawn = "Withdrawn"
	eventKept      = "Kept"
	eventRotated   = "Rotated"

	actionSpread   = "Spread"
	actionWithdraw = "Withdraw"
	actionKeep     = "Keep"
	actionRotate   = "Rotate"
	actionExpire   = "Expire"
)

// tellChanges records an event for each condition that means something else than
// before. Nothing is told twice, nor at a restart.
func (r *reconciler) tellChanges(c *v1alpha1.Credential, before *v1alpha1.CredentialStatus) {
	if ready, changed := change(c, before, v1alpha1.ConditionReady); changed {
		switch ready.Reason {
		case v1alpha1.ReasonTerminating:
			if was := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionReady); waitsForUsers(ready) && !waitsForUsers(was) {
				r.tell(c, corev1.EventTypeWarning, v1alpha1.IssueInUse, actionWithdraw, ready.Message)
			}
		case v1alpha1.ReasonPropagating: // soon over
		case v1alpha1.ReasonPropagated:
			r.tell(c, corev1.EventTypeNormal, ready.Reason, actionSpread, ready.Message)
		default:
			r.tell(c, corev1.EventTypeWarning, ready.Reason, actionSpread, explain(ready, c))
		}
	}
	if !c.Status.RotatedAt.Equal(before.RotatedAt) {
		r.tell(c, corev1.EventTypeNormal, eventRotated, actionRotate, rotated(c))
	}
	if expiring, changed := change(c, before, v1alpha1.ConditionExpiring); changed && expiring.Status == metav1.ConditionTrue {
		r.tell(c, corev1.EventTypeWarning, expiring.Reason, actionExpire, expiring.Message)
	}
}

// waitsForUsers says whether a credential that is being deleted is still used. By whom
// is told only once: that changes with every rollout.
func waitsForUsers(ready *metav1.Condition) bool {
	return ready != nil && ready.Reason == v1alpha1.ReasonTerminating && strings.Contains(ready.Message, waitingForUsers)
}

func (r *reconciler) tell(c *v1alpha1.Credential, kind, reason, action, note string) {
	r.recorder.Eventf(c, nil, kind, reason, action, "%s", words.Cut(note, words.EventNote))
}

// change says whether a condition means something else than before: for another
// reason, or of the same kind about another thing. That some issues are left is no
// news.
func change(c *v1alpha1.Credential, before *v1alpha1.CredentialStatus, condition string) (now *metav1.Condition, changed bool) {
	now = meta.FindStatusCondition(c.Status.Conditions, condition)
	old := meta.FindStatusCondition(before.Conditions, condition)
	switch {
	case now == nil:
		return nil, false
	case old == nil || old.Reason != now.Reason:
		return now, true
	case now.Reason == v1alpha1.ReasonNamespaceIssues:
		return now, c.Status.IssuesTotal > before.IssuesTotal
	}
	return now, now.Status == metav1.ConditionFalse && condition == v1alpha1.ConditionReady && old.Message != now.Message
}

// rotated says that the values changed, and who does not have them yet.
func rotated(c *v1alpha1.Credential) string {
	note := fmt.Sprintf("the values of Secret %s/%s changed", c.Namespace, c.Spec.SecretRef.Name)
	if pods := int(c.Status.OutdatedPods); pods > 0 {
		note += fmt.Sprintf("; containers of %s read the old ones into their environment and keep them until they are started again", words.Plural(pods, "pod"))
	}
	return note
}

// explain adds the first issue to what is told of issues.
func explain(ready *metav1.Condition, c *v1alpha1.Credential) string {
	if ready.Reason != v1alpha1.ReasonNamespaceIssues || len(c.Status.Issues) == 0 {
		return ready.Message
	}
	first := c.Status.Issues[0]
	return fmt.Sprintf("%s, the first in namespace %s: %s: %s", words.Plural(int(c.Status.IssuesTotal), "issue"), first.Namespace, first.Reason, first.Message)
}
