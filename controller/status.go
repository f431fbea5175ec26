// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/credential/words"
)

// expiryNotice is how long ahead the condition Expiring turns True.
const expiryNotice = 30 * 24 * time.Hour

// computeStatus says what an observation means. It is pure.
func computeStatus(o *observation) v1alpha1.CredentialStatus {
	if o.held {
		return heldStatus(o)
	}
	previous := o.credential.Status.DeepCopy()
	status := v1alpha1.CredentialStatus{
		ObservedGeneration: o.credential.Generation,
		Conditions:         previous.Conditions,
		KubernetesName:     o.facts.KubernetesName,
		UsedBy:             previous.UsedBy,
		OutdatedPods:       previous.OutdatedPods,
		// It stays whatever becomes of the source: what is withdrawn comes back, and
		// only this tells whether the values are the same then.
		Fingerprint: previous.Fingerprint,
		RotatedAt:   rotatedAt(o),
	}
	switch {
	case !o.credential.DeletionTimestamp.IsZero():
		// Replacements of the pods that use it are injected as before.
		status.Keys, status.Registries = previous.Keys, previous.Registries
		confirmUsers(&status)
	case o.problem == nil:
		status.Keys, status.Registries, status.Fingerprint = o.facts.Keys, o.facts.Registries, o.wanted.Fingerprint
	case !o.problem.Withdraws():
		// The copies stay, and this is what is in them.
		status.Keys, status.Registries = previous.Keys, previous.Registries
	}
	countNamespaces(o, &status)
	status.State = stateOf(o, &status, previous)
	for _, condition := range []metav1.Condition{readyCondition(o, &status), expiringCondition(o)} {
		condition.ObservedGeneration = o.credential.Generation
		condition.LastTransitionTime = metav1.NewTime(o.now)
		meta.SetStatusCondition(&status.Conditions, condition)
	}
	o.tally.Set(&status, o.now)
	return status
}

// rotatedAt is when the values last changed: now, if they are not those that the
// status knows. It is kept while there is no valid source, and a lost key changes
// nothing.
func rotatedAt(o *observation) *metav1.Time {
	previous := &o.credential.Status
	if o.problem == nil && copies.Changed(previous.Fingerprint, o.wanted.Fingerprint) {
		return &metav1.Time{Time: o.now.Truncate(time.Second)}
	}
	return previous.RotatedAt
}

// countNamespaces fills in what is said about namespaces, in their order.
func countNamespaces(o *observation, status *v1alpha1.CredentialStatus) {
	for _, p := range o.projects {
		if !o.counts(p) {
			continue
		}
		outcome := o.outcome(p)
		if p.shadowedBy == nil {
			status.Namespaces.Desired++
		}
		switch {
		case p.shadowedBy != nil:
		case outcome.Exists && outcome.Current:
			status.Namespaces.Ready++
		case outcome.Reason == v1alpha1.IssueNameTaken:
			status.TakenNamespaces = append(status.TakenNamespaces, p.namespace)
		case !outcome.Exists:
			status.PendingNamespaces = append(status.PendingNamespaces, p.namespace)
		}
	}
	for _, names := range []*[]string{&status.PendingNamespaces, &status.TakenNamespaces} {
		if len(*names) > v1alpha1.MaxStatusNamespaces {
			*names = (*names)[:v1alpha1.MaxStatusNamespaces]
			status.Namespaces.Truncated = true
		}
	}
	issues := o.issues()
	status.IssuesTotal = int32(len(issues))
	status.Issues = issues[:min(len(issues), v1alpha1.MaxStatusIssues)]
}

// issues returns what stands in the way, by namespace.
func (o *observation) issues() []v1alpha1.NamespaceIssue {
	var issues []v1alpha1.NamespaceIssue
	for _, p := range o.projects {
		if outcome := o.outcome(p); outcome.Reason != "" && !p.terminating {
			issues = append(issues, v1alpha1.NamespaceIssue{Namespace: p.namespace, Reason: outcome.Reason, Message: outcome.Message})
		}
	}
	for _, left := range o.report.Left {
		switch p, _ := o.project(left.Namespace); {
		case left.Reason == "", left.Waits() && p.unused: // what nobody uses goes in its own time
		case left.Waits():
			issues = append(issues, v1alpha1.NamespaceIssue{Namespace: left.Namespace, Reason: left.Reason,
				Message: words.Cut("the copy is to go: "+left.Message, maxIssue)})
		default:
			issues = append(issues, v1alpha1.NamespaceIssue{Namespace: left.Namespace, Reason: left.Reason,
				Message: "the copy could not be removed: " + left.Message})
		}
	}
	issues = append(issues, o.leavers...)
	slices.SortStableFunc(issues, func(a, b v1alpha1.NamespaceIssue) int { return cmp.Compare(a.Namespace, b.Namespace) })
	return issues
}

// outcome is how a project fares.
func (o *observation) outcome(p project) copies.Outcome {
	switch {
	case p.shadowedBy != nil:
		return copies.Outcome{Reason: v1alpha1.IssueShadowed,
			Message: fmt.Sprintf("credential %s has the same name and is used here instead; delete that one, or make one of the two again under another name", p.shadowedBy)}
	case p.unused && o.waits(p.namespace):
		return copies.Outcome{Exists: true, Current: true} // for a while
	case !o.hasCopies():
		valid := o.problem == nil
		return copies.Outcome{Exists: valid, Current: valid}
	}
	return o.report.Outcomes[p.namespace]
}

func stateOf(o *observation, status, previous *v1alpha1.CredentialStatus) v1alpha1.CredentialState {
	switch {
	case !o.credential.DeletionTimestamp.IsZero():
		return v1alpha1.StateDeleting
	case o.problem != nil || status.IssuesTotal > 0 || o.nobodys():
		return v1alpha1.StateIssuesFound
	case status.Namespaces.Ready == status.Namespaces.Desired:
		return v1alpha1.StateNoIssuesFound
	case previous.State == "" || previous.State == v1alpha1.StateCreating || len(previous.Keys) == 0: // never valid, or withdrawn
		return v1alpha1.StateCreating
	}
	return v1alpha1.StateNoIssuesFound
}

func readyCondition(o *observation, status *v1alpha1.CredentialStatus) metav1.Condition {
	is := func(state metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Type: v1alpha1.ConditionReady, Status: state, Reason: reason, Message: message}
	}
	switch {
	case !o.credential.DeletionTimestamp.IsZero():
		return is(metav1.ConditionFalse, v1alpha1.ReasonTerminating, o.ending())
	case o.problem != nil:
		return is(metav1.ConditionFalse, o.problem.Reason, o.problem.Message)
	case o.nobodys():
		department := o.credential.Spec.Scope.Department
		return is(metav1.ConditionFalse, v1alpha1.ReasonNoProject, fmt.Sprintf(
			"no project has the department %q; label the namespaces of its projects %s=%s, or create the credential again with the right department",
			department, o.layout.DepartmentLabel, department))
	case status.IssuesTotal > 0:
		return is(metav1.ConditionFalse, v1alpha1.ReasonNamespaceIssues, fmt.Sprintf(
			"%s, the first %s in namespace %s; status.issues tells what stands in the way and how to mend it", words.Plural(int(status.IssuesTotal), "issue"), status.Issues[0].Reason, status.Issues[0].Namespace))
	case status.Namespaces.Ready < status.Namespaces.Desired:
		return is(metav1.ConditionFalse, v1alpha1.ReasonPropagating, "some namespaces still wait for their copy; status.pendingNamespaces names those that have none")
	}
	return is(metav1.ConditionTrue, v1alpha1.ReasonPropagated, o.success(status))
}

// waitingForUsers are the words that tell that a deletion waits for users.
const waitingForUsers = "; it waits for its users in "

// ending says what the deletion of a credential waits for.
func (o *observation) ending() string {
	text := "the credential is being deleted, and its copies with it"
	var used, drains []copies.Leftover
	for _, left := range o.report.Left {
		switch left.Reason {
		case v1alpha1.IssueInUse:
			used = append(used, left)
		case v1alpha1.IssueDraining:
			drains = append(drains, left)
		}
	}
	switch {
	case len(used) > 0:
		slices.SortFunc(used, func(a, b copies.Leftover) int { return cmp.Compare(a.Namespace, b.Namespace) })
		text += waitingForUsers + words.Plural(len(used), "namespace")
		for _, left := range used[:min(len(used), maxHolders)] {
			text += fmt.Sprintf("; in %s it is %s", left.Namespace, left.Message)
		}
		text += "; detach it there, or annotate it " + v1alpha1.AnnotationForceDelete + "=true to take it from them"
	case len(drains) > 0:
		last := slices.MaxFunc(drains, func(a, b copies.Leftover) int { return cmp.Compare(a.Message, b.Message) })
		text += fmt.Sprintf("; it waits in %s: %s", words.Plural(len(drains), "namespace"), last.Message)
	}
	return text
}

// counts says whether a project is one that is to have the copy, or still has it.
func (o *observation) counts(p project) bool {
	return !p.terminating && (!p.unused || o.waits(p.namespace))
}

// waits says whether a copy that nobody uses is there for a while yet.
func (o *observation) waits(namespace string) bool {
	return slices.ContainsFunc(o.report.Left, func(left copies.Leftover) bool {
		return left.Namespace == namespace && left.Name == o.wanted.Name && left.Waits()
	})
}

// nobodys says whether the scope is a department that no project belongs to.
func (o *observation) nobodys() bool {
	return o.credential.Spec.Scope.Level == v1alpha1.ScopeDepartment &&
		!slices.ContainsFunc(o.projects, func(p project) bool { return !p.terminating })
}

// success says where the credential can be used.
func (o *observation) success(status *v1alpha1.CredentialStatus) string {
	switch {
	case !o.hasCopies():
		return "the source is valid; pods of the project use it itself"
	case !onDemand(o.credential):
		return "every namespace in scope has its copy"
	case status.Namespaces.Desired == 0:
		return "copies are made on demand, and no namespace in scope is known to use the credential"
	}
	return "every namespace in scope that uses the credential has its copy, made on demand"
}

func expiringCondition(o *observation) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.ConditionExpiring, Status: metav1.ConditionFalse,
		Reason: v1alpha1.ReasonNotExpiring, Message: "expiresAt is not set"}
	expiry := o.credential.Spec.ExpiresAt
	if expiry == nil {
		return condition
	}
	at := expiry.UTC().Format(time.RFC3339)
	condition.Message = "expires at " + at + "; nothing is withdrawn then: put new values into the source and set expiresAt"
	switch {
	case !o.now.Before(expiry.Time):
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonExpired
		condition.Message = "expired at " + at + "; nothing is withdrawn: put new values into the source and set expiresAt"
	case !o.now.Before(expiry.Add(-expiryNotice)):
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonExpiresSoon
	}
	return condition
}

// untilExpiry is how long the condition Expiring stays as it is, zero for ever.
func untilExpiry(o *observation) time.Duration {
	expiry := o.credential.Spec.ExpiresAt
	if expiry == nil {
		return 0
	}
	for _, change := range []time.Time{expiry.Add(-expiryNotice), expiry.Time} {
		if o.now.Before(change) {
			return change.Sub(o.now)
		}
	}
	return 0
}
