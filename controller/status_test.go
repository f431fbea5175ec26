// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential"
)

var (
	now  = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	keys = []v1alpha1.SecretKey{{Key: "api-key"}}

	current = copies.Outcome{Exists: true, Current: true}
	old     = copies.Outcome{Exists: true}
	missing = copies.Outcome{}
	taken   = copies.Outcome{Reason: v1alpha1.IssueNameTaken, Message: "taken"}
	full    = copies.Outcome{Reason: v1alpha1.IssueQuotaExceeded, Message: "full"}
	stuck   = copies.Outcome{Exists: true, Reason: v1alpha1.IssueAdmissionRefused, Message: "refused"}
)

// observed makes an observation of a credential in order, with these outcomes in
// the namespaces n0, n1, …
func observed(outcomes ...copies.Outcome) *observation {
	o := &observation{
		now: now,
		credential: &v1alpha1.Credential{
			ObjectMeta: metav1.ObjectMeta{Namespace: "system", Name: "key", Generation: 3},
			Spec:       v1alpha1.CredentialSpec{Type: v1alpha1.Generic, Scope: v1alpha1.Scope{Level: v1alpha1.ScopeCluster}},
		},
		facts:  credential.Facts{KubernetesName: "genericsecret-key", Keys: keys, Registries: []string{"r"}},
		wanted: copies.Wanted{}.Fill(map[string][]byte{"api-key": nil}, "1:2"),
		report: copies.Report{Outcomes: map[string]copies.Outcome{}},
	}
	for i, outcome := range outcomes {
		name := fmt.Sprintf("n%d", i)
		o.projects = append(o.projects, project{namespace: name})
		o.report.Outcomes[name] = outcome
	}
	return o
}

func (o *observation) after(s v1alpha1.CredentialStatus) *observation {
	o.credential.Status = s
	return o
}

func (o *observation) problematic(reason string) *observation {
	o.facts.Keys, o.facts.Registries = nil, nil
	o.problem = &credential.Problem{Reason: reason, Message: "because"}
	return o
}

func (o *observation) holding() *observation {
	o.held = true
	return o
}

func (o *observation) deleting() *observation {
	o.credential.DeletionTimestamp = &metav1.Time{Time: now}
	return o
}

func (o *observation) inProject() *observation {
	o.credential.Spec.Scope = v1alpha1.Scope{Level: v1alpha1.ScopeProject}
	return o
}

func (o *observation) with(change func(*observation)) *observation {
	change(o)
	return o
}

func TestComputeStatus(t *testing.T) {
	before := v1alpha1.CredentialStatus{State: v1alpha1.StateNoIssuesFound, Fingerprint: "1:1", Keys: []v1alpha1.SecretKey{{Key: "old"}}, Registries: []string{"old"}}
	type brief struct {
		State                          v1alpha1.CredentialState
		Reason                         string
		Desired, Ready                 int32
		Pending, Taken, Issues         string
		Keys, Registries, Fingerprints string
	}
	valid := brief{Keys: "api-key", Registries: "r", Fingerprints: "1:2"}
	kept := brief{Keys: "old", Registries: "old", Fingerprints: "1:1"}
	withdrawn := brief{Fingerprints: "1:1"}
	as := func(b brief, state v1alpha1.CredentialState, reason string, desired, ready int32, change ...func(*brief)) brief {
		b.State, b.Reason, b.Desired, b.Ready = state, reason, desired, ready
		for _, c := range change {
			c(&b)
		}
		return b
	}
	pending := func(names string) func(*brief) { return func(b *brief) { b.Pending = names } }
	issues := func(list string) func(*brief) { return func(b *brief) { b.Issues = list } }
	shadow := func(o *observation) {
		o.projects[0].shadowedBy = &types.NamespacedName{Namespace: "home", Name: "key"}
	}

	for name, test := range map[string]struct {
		of   *observation
		want brief
	}{
		"spread":               {observed(current, current), as(valid, v1alpha1.StateNoIssuesFound, v1alpha1.ReasonPropagated, 2, 2)},
		"no namespace":         {observed(), as(valid, v1alpha1.StateNoIssuesFound, v1alpha1.ReasonPropagated, 0, 0)},
		"for the first time":   {observed(current, missing), as(valid, v1alpha1.StateCreating, v1alpha1.ReasonPropagating, 2, 1, pending("n1"))},
		"still the first time": {observed(missing).after(v1alpha1.CredentialStatus{State: v1alpha1.StateCreating, Fingerprint: "1:2"}), as(valid, v1alpha1.StateCreating, v1alpha1.ReasonPropagating, 1, 0, pending("n0"))},
		"first valid":          {observed(missing).after(v1alpha1.CredentialStatus{State: v1alpha1.StateIssuesFound}), as(valid, v1alpha1.StateCreating, v1alpha1.ReasonPropagating, 1, 0, pending("n0"))},
		"valid again": {observed(missing).after(v1alpha1.CredentialStatus{State: v1alpha1.StateIssuesFound, Fingerprint: "1:2"}),
			as(valid, v1alpha1.StateCreating, v1alpha1.ReasonPropagating, 1, 0, pending("n0"))},
		"missing while withdrawn": {observed(missing).after(v1alpha1.CredentialStatus{State: v1alpha1.StateIssuesFound, Fingerprint: "1:1"}).problematic(v1alpha1.ReasonSourceMissing),
			as(withdrawn, v1alpha1.StateIssuesFound, v1alpha1.ReasonSourceMissing, 1, 0, pending("n0"))},
		"a new namespace":     {observed(current, missing).after(before), as(valid, v1alpha1.StateNoIssuesFound, v1alpha1.ReasonPropagating, 2, 1, pending("n1"))},
		"rotating":            {observed(old, current).after(before), as(valid, v1alpha1.StateNoIssuesFound, v1alpha1.ReasonPropagating, 2, 1)},
		"taken":               {observed(taken, current), as(valid, v1alpha1.StateIssuesFound, v1alpha1.ReasonNamespaceIssues, 2, 1, issues("n0:NameTaken"), func(b *brief) { b.Taken = "n0" })},
		"refused":             {observed(full, current), as(valid, v1alpha1.StateIssuesFound, v1alpha1.ReasonNamespaceIssues, 2, 1, pending("n0"), issues("n0:QuotaExceeded"))},
		"refused with a copy": {observed(stuck), as(valid, v1alpha1.StateIssuesFound, v1alpha1.ReasonNamespaceIssues, 1, 0, issues("n0:AdmissionRefused"))},
		"shadowed":            {observed(missing, current).with(shadow), as(valid, v1alpha1.StateIssuesFound, v1alpha1.ReasonNamespaceIssues, 1, 1, issues("n0:Shadowed"))},
		"terminating": {observed(missing, current).with(func(o *observation) { o.projects[0].terminating = true }),
			as(valid, v1alpha1.StateNoIssuesFound, v1alpha1.ReasonPropagated, 1, 1)},
		"a copy that does not go": {observed(current).with(func(o *observation) {
			o.report.Left = []copies.Leftover{{Copy: copies.Copy{NamespacedName: types.NamespacedName{Namespace: "gone"}}, Reason: v1alpha1.IssueAdmissionRefused}}
		}), as(valid, v1alpha1.StateIssuesFound, v1alpha1.ReasonNamespaceIssues, 1, 1, issues("gone:AdmissionRefused"))},
		"missing source":        {observed(current).after(before).problematic(v1alpha1.ReasonSourceMissing), as(kept, v1alpha1.StateIssuesFound, v1alpha1.ReasonSourceMissing, 1, 1)},
		"invalid source":        {observed(current).after(before).problematic(v1alpha1.ReasonSourceInvalid), as(kept, v1alpha1.StateIssuesFound, v1alpha1.ReasonSourceInvalid, 1, 1)},
		"source not authorized": {observed(missing).after(before).problematic(v1alpha1.ReasonSourceNotAuthorized), as(withdrawn, v1alpha1.StateIssuesFound, v1alpha1.ReasonSourceNotAuthorized, 1, 0, pending("n0"))},
		"source not allowed":    {observed(missing).after(before).problematic(v1alpha1.ReasonSourceNotAllowed), as(withdrawn, v1alpha1.StateIssuesFound, v1alpha1.ReasonSourceNotAllowed, 1, 0, pending("n0"))},
		"not a project":         {observed().problematic(v1alpha1.ReasonNotAProject), as(brief{}, v1alpha1.StateIssuesFound, v1alpha1.ReasonNotAProject, 0, 0)},
		"project":               {observed(missing).inProject(), as(valid, v1alpha1.StateNoIssuesFound, v1alpha1.ReasonPropagated, 1, 1)},
		"project, missing":      {observed(missing).inProject().problematic(v1alpha1.ReasonSourceMissing), as(brief{}, v1alpha1.StateIssuesFound, v1alpha1.ReasonSourceMissing, 1, 0, pending("n0"))},
		"deleting":              {observed().after(before).deleting(), as(kept, v1alpha1.StateDeleting, v1alpha1.ReasonTerminating, 0, 0)},
		"deleting, held":        {observed().after(before).deleting().holding(), as(kept, v1alpha1.StateDeleting, v1alpha1.ReasonHeld, 0, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			status := computeStatus(test.of)
			got := brief{
				State: status.State, Desired: status.Namespaces.Desired, Ready: status.Namespaces.Ready,
				Reason:  meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady).Reason,
				Pending: strings.Join(status.PendingNamespaces, " "), Taken: strings.Join(status.TakenNamespaces, " "),
				Registries: strings.Join(status.Registries, " "), Fingerprints: status.Fingerprint,
			}
			for _, issue := range status.Issues {
				got.Issues += issue.Namespace + ":" + issue.Reason
			}
			for _, key := range status.Keys {
				got.Keys += key.Key
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
			if status.ObservedGeneration != 3 || status.KubernetesName != "genericsecret-key" {
				t.Errorf("generation %d, name %s", status.ObservedGeneration, status.KubernetesName)
			}
		})
	}
}

// TestNobodysDepartment: the scope is right, and covers nothing.
func TestNobodysDepartment(t *testing.T) {
	for name, test := range map[string]struct {
		of     *observation
		reason string
	}{
		"none":        {observed(), v1alpha1.ReasonNoProject},
		"one":         {observed(current), v1alpha1.ReasonPropagated},
		"terminating": {observed(current).with(func(o *observation) { o.projects[0].terminating = true }), v1alpha1.ReasonNoProject},
		"unused":      {observed(missing).with(func(o *observation) { o.projects[0].unused = true }), v1alpha1.ReasonPropagated},
		"no source":   {observed().problematic(v1alpha1.ReasonSourceMissing), v1alpha1.ReasonSourceMissing},
	} {
		t.Run(name, func(t *testing.T) {
			test.of.credential.Spec.Scope = v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: "research"}
			test.of.layout = credential.DefaultLayout()
			status := computeStatus(test.of)
			got := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
			if got.Reason != test.reason || (status.State == v1alpha1.StateNoIssuesFound) != (got.Status == metav1.ConditionTrue) {
				t.Errorf("state %s, Ready %+v", status.State, got)
			}
		})
	}
}

func TestOnDemandCountsTheUsed(t *testing.T) {
	o := observed(current, missing, missing)
	o.credential.Spec.Propagation = v1alpha1.PropagateOnDemand
	o.projects[2].unused = true
	status := computeStatus(o)
	if status.Namespaces != (v1alpha1.NamespaceCounts{Desired: 2, Ready: 1}) || !cmp.Equal(status.PendingNamespaces, []string{"n1"}) {
		t.Errorf("%+v, pending %v", status.Namespaces, status.PendingNamespaces)
	}
}

func TestComputeRotatedAt(t *testing.T) {
	at := &metav1.Time{Time: now.Add(-time.Hour)}
	for name, test := range map[string]struct {
		before string
		of     *observation
		want   *metav1.Time
	}{
		"the first values": {"", observed(), at},
		"the same":         {"1:2", observed(), at},
		"others":           {"1:1", observed(), &metav1.Time{Time: now}},
		"of another key":   {"2:1", observed(), at},
		"no source":        {"1:1", observed().problematic(v1alpha1.ReasonSourceMissing), at},
		"deleting":         {"1:2", observed().deleting(), at},
	} {
		t.Run(name, func(t *testing.T) {
			o := test.of.after(v1alpha1.CredentialStatus{Fingerprint: test.before, RotatedAt: at})
			if got := computeStatus(o).RotatedAt; !got.Equal(test.want) {
				t.Errorf("rotated at %s, want %s", got, test.want)
			}
		})
	}
}

// TestUsersAreKept: a status that says who uses the credential is never written
// back to less, and without an index to nothing at all.
func TestUsersAreKept(t *testing.T) {
	before := v1alpha1.CredentialStatus{UsedBy: v1alpha1.UsedBy{Total: 3, Workloads: 3}, OutdatedPods: 2,
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionInUse, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonUsed, ObservedGeneration: 3}}}
	for name, o := range map[string]*observation{
		"spread": observed(current), "deleting": observed().deleting(), "problem": observed().problematic(v1alpha1.ReasonSourceNotAuthorized),
	} {
		status := computeStatus(o.after(before))
		if diff := cmp.Diff(users.Same, users.Compare(&before, &status)); diff != "" {
			t.Errorf("%s: %+v", name, status)
		}
		o.tally = &users.Tally{UsedBy: v1alpha1.UsedBy{Total: 1, Workloads: 1}}
		if status := computeStatus(o); status.UsedBy.Total != 1 || status.OutdatedPods != 0 {
			t.Errorf("%s, with an index: %+v", name, status)
		}
	}
}

func TestStatusIsStable(t *testing.T) {
	o := observed(taken, missing, current)
	first := computeStatus(o)
	o.credential.Status = first
	o.now = now.Add(time.Hour)
	if diff := cmp.Diff(first, computeStatus(o)); diff != "" {
		t.Errorf("the same observation, an hour later (-before +after):\n%s", diff)
	}
}

func TestStatusIsBounded(t *testing.T) {
	var outcomes []copies.Outcome
	for range 600 {
		outcomes = append(outcomes, taken, full)
	}
	status := computeStatus(observed(outcomes...))
	if len(status.Issues) != v1alpha1.MaxStatusIssues || status.IssuesTotal != 1200 {
		t.Errorf("%d issues of %d", len(status.Issues), status.IssuesTotal)
	}
	if len(status.PendingNamespaces) != v1alpha1.MaxStatusNamespaces || len(status.TakenNamespaces) != v1alpha1.MaxStatusNamespaces || !status.Namespaces.Truncated {
		t.Errorf("%d pending, %d taken", len(status.PendingNamespaces), len(status.TakenNamespaces))
	}
}
