// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/credential/words"
	"github.com/credence-dev/credence/usage"
)

// maxNamesTold bounds how many namespaces, or users, an event names.
const maxNamesTold = 5

// tellWithdrawn records which copies went and why, in one event. It is a warning
// if somebody still refers to what is no longer there.
func (r *reconciler) tellWithdrawn(o *observation) {
	var reasons []string
	gone := map[string][]copies.Copy{}
	var missed []string
	for _, c := range o.report.Removed {
		why, asked := r.whyWithdrawn(o, c.Namespace)
		if gone[why] == nil {
			reasons = append(reasons, why)
		}
		gone[why] = append(gone[why], c)
		if !asked {
			missed = append(missed, c.Namespace)
		}
	}
	slices.Sort(reasons)
	var parts []string
	for _, why := range reasons {
		parts = append(parts, fmt.Sprintf("from %s: %s", namespacesOf(gone[why]), why))
	}
	if o.releases() {
		r.tell(o.credential, corev1.EventTypeNormal, eventKept, actionKeep, "released the copy "+strings.Join(parts, "; "))
		return
	}
	note, kind := "withdrew the copy "+strings.Join(parts, "; "), corev1.EventTypeNormal
	if still := r.stillRefer(o, missed); still != "" {
		note, kind = note+"; "+still, corev1.EventTypeWarning
	}
	r.tell(o.credential, kind, eventWithdrawn, actionWithdraw, note)
}

// namespacesOf lists where copies are, no more than a few.
func namespacesOf(all []copies.Copy) string {
	var names []string
	for _, c := range all {
		names = append(names, c.Namespace)
	}
	slices.Sort(names)
	return words.Few(slices.Compact(names), maxNamesTold)
}

// whyWithdrawn says why a namespace has no copy any more, and whether its users
// asked for that or have something else now.
func (g *gatherer) whyWithdrawn(o *observation, namespace string) (why string, asked bool) {
	switch {
	case o.releases():
		return "the credential is being deleted, and it stays there as an ordinary Secret", true
	case o.forced():
		return "the credential is being deleted by force (annotation " + v1alpha1.AnnotationForceDelete + ")", false
	}
	if why := g.exception(o, namespace); why != "" {
		return why, false
	}
	if !o.credential.DeletionTimestamp.IsZero() {
		return "the credential is being deleted", true
	}
	if p, ok := o.project(namespace); ok {
		switch {
		case p.shadowedBy != nil:
			return fmt.Sprintf("credential %s has the same name and is used there instead", p.shadowedBy), true
		case p.unused:
			return "nothing there uses the credential any more, and it is spread on demand", true
		}
	}
	return "it had another name", true
}

// exempt has the copies go at once whose users are to lose them. All others wait until
// they have none.
func (g *gatherer) exempt(o *observation) {
	for i := range o.steps {
		if step := &o.steps[i]; step.Action == copies.Remove {
			step.AtOnce = o.forced() || g.exception(o, step.Namespace) != ""
		}
	}
}

// exception says why a copy goes although somebody may use it, which is empty if it
// does not: the source may not be one any more, or the namespace is not in the scope,
// or is being deleted with all that is in it.
func (g *gatherer) exception(o *observation, namespace string) string {
	if o.last != nil {
		o = o.last
	}
	if o.problem != nil && (o.problem.Withdraws() || o.problem.Reason == v1alpha1.ReasonNotAProject || o.problem.Reason == v1alpha1.ReasonWrongNamespace) {
		return o.problem.Message
	}
	if p, ok := o.project(namespace); ok {
		if p.terminating {
			return "the namespace is being deleted"
		}
		return ""
	}
	place, _ := g.catalog.Place(namespace)
	if place.Home != "" {
		return fmt.Sprintf("no project any more: it is the home of department %s (label %s)", place.Home, v1alpha1.LabelDepartmentHome)
	}
	if !place.IsProject() {
		return fmt.Sprintf("no project any more (label %s)", o.layout.ProjectLabel)
	}
	return fmt.Sprintf("not labelled %s=%s any more", o.layout.DepartmentLabel, o.credential.Spec.Scope.Department)
}

// stillRefer names who refers to the credential in namespaces that are without it
// now. Their running pods keep what they have; new ones of theirs cannot start.
func (r *reconciler) stillRefer(o *observation, namespaces []string) string {
	if len(namespaces) == 0 || !r.users.Index.Synced() {
		return ""
	}
	found := r.users.Index.Users(r.users.AskBeyond(o.credential, namespaces...)...)
	all := slices.Concat(found.Workloads, found.Automatic, found.Templates)
	if len(all) == 0 {
		return ""
	}
	verb := "still refer to it"
	if len(all) == 1 {
		verb = "still refers to it"
	}
	return fmt.Sprintf("%s there %s: %s", kindsOf(found), verb, words.Few(all, maxNamesTold))
}

// kindsOf says how many workloads and templates there are.
func kindsOf(found usage.Users) string {
	workloads := len(found.Workloads) + len(found.Automatic)
	switch {
	case len(found.Templates) == 0:
		return words.Plural(workloads, "workload")
	case workloads == 0:
		return words.Plural(len(found.Templates), "template")
	}
	return words.Plural(workloads, "workload") + " and " + words.Plural(len(found.Templates), "template")
}
