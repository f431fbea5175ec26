// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"testing"

	"github.com/credence-dev/credence/api/v1alpha1"
)

func TestNamespacesComeAndGo(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "research")
	w.run()
	wide := w.generic("wide")
	w.source(w.layout.SystemNamespace, "narrow", kinds[v1alpha1.Generic], researchScope)
	narrow := w.credential(w.layout.SystemNamespace, "narrow", v1alpha1.Generic, researchScope)
	w.spread(wide, 1)
	w.spread(narrow, 1)

	b := w.project("b", "research") // a new namespace gets its copies
	w.spread(wide, 2)
	w.spread(narrow, 2)

	namespace := w.namespaceNamed(a)
	w.relabel(namespace, w.layout.DepartmentLabel, "sales") // to another department
	w.spread(narrow, 1)
	if found := w.copiesIn(a); len(found) != 1 || found[0] != "genericsecret-wide" {
		t.Errorf("a project that left the department has %v", found)
	}

	w.relabel(namespace, w.layout.ProjectLabel, "") // no project any more
	w.noCopies(a)
	w.spread(wide, 1)

	w.relabel(namespace, w.layout.ProjectLabel, "a") // and back
	w.spread(wide, 2)

	w.change(narrow, func() { narrow.Spec.Scope = clusterScope })
	w.because(narrow, v1alpha1.ReasonSourceNotAuthorized) // the source is the department's
	w.relabel(w.secret(w.layout.SystemNamespace, "narrow"), v1alpha1.LabelSourceDepartment, "")
	w.relabel(w.secret(w.layout.SystemNamespace, "narrow"), v1alpha1.LabelSourceClusterWide, "true")
	w.spread(narrow, 2)
	if found := w.copiesIn(b); len(found) != 2 {
		t.Errorf("a project in reach of both has %v", found)
	}
}

// TestShadowing: both credentials would have the same Kubernetes name in the
// namespace, so one copy has to go for the other to come.
func TestShadowing(t *testing.T) {
	w := newWorld(t)
	home := w.namespace("home", map[string]string{v1alpha1.LabelDepartmentHome: "research"})
	a, b := w.project("a", "research"), w.project("b", "sales")
	w.run()
	wide := w.generic("key")
	w.spread(wide, 2)

	k := kinds[v1alpha1.Generic]
	k.data = map[string]string{"api-key": "of-research"}
	w.source(home, "key", k, researchScope)
	narrow := w.credential(home, "key", v1alpha1.Generic, researchScope)
	w.spread(narrow, 1)
	status := w.status(wide, "shadowed in one namespace", func(s v1alpha1.CredentialStatus) bool { // and no copy there is to go any more
		return ready(s).Reason == v1alpha1.ReasonNamespaceIssues && s.IssuesTotal == 1 && s.Namespaces == (v1alpha1.NamespaceCounts{Desired: 1, Ready: 1})
	})
	if status.Issues[0].Namespace != a || status.Issues[0].Reason != v1alpha1.IssueShadowed {
		t.Errorf("the wider one's status is %+v", status)
	}
	if want := "credential " + home + "/key has the same name and is used here instead; delete that one, or make one of the two again under another name"; status.Issues[0].Message != want {
		t.Errorf("the issue says: %s", status.Issues[0].Message)
	}
	for namespace, want := range map[string]string{a: "of-research", b: "not-a-secret-1"} {
		if got := w.secret(namespace, "genericsecret-key"); got == nil || string(got.Data["api-key"]) != want {
			t.Errorf("%s has the wrong copy", namespace)
		}
	}

	w.must(w.Delete(w.Context(), narrow))
	w.spread(wide, 2)
	if got := w.secret(a, "genericsecret-key"); string(got.Data["api-key"]) != "not-a-secret-1" {
		t.Error("the wider one did not come back")
	}
}

// TestHomeComesLater: the credential is there before its namespace is a home, and
// another of its name was used instead.
func TestHomeComesLater(t *testing.T) {
	w := newWorld(t)
	home, a := w.namespace("home", nil), w.project("a", "research")
	w.run()
	w.source(w.layout.SystemNamespace, "key", kinds[v1alpha1.Generic], researchScope)
	wide := w.credential(w.layout.SystemNamespace, "key", v1alpha1.Generic, researchScope)
	w.spread(wide, 1)
	k := kinds[v1alpha1.Generic]
	k.data = map[string]string{"api-key": "of-home"}
	w.source(home, "key", k, researchScope)
	narrow := w.credential(home, "key", v1alpha1.Generic, researchScope)
	w.because(narrow, v1alpha1.ReasonNotAProject)

	namespace := w.namespaceNamed(home)
	w.relabel(namespace, v1alpha1.LabelDepartmentHome, "research")
	w.spread(narrow, 1)
	if got := w.secret(a, "genericsecret-key"); string(got.Data["api-key"]) != "of-home" {
		t.Error("it has the copy of the other one")
	}
	w.because(wide, v1alpha1.ReasonNamespaceIssues)

	w.relabel(namespace, v1alpha1.LabelDepartmentHome, "")
	w.because(narrow, v1alpha1.ReasonNotAProject)
	w.spread(wide, 1)
}

// TestTerminatingNamespace: a namespace that is being deleted takes no copy, and
// keeps no credential from being in order (external-secrets#5426).
func TestTerminatingNamespace(t *testing.T) {
	w := newWorld(t)
	a, b := w.project("a", ""), w.project("b", "")
	w.run()
	c := w.generic("key")
	w.spread(c, 2)
	w.must(w.Delete(w.Context(), w.namespaceNamed(a)))
	w.spread(c, 1)
	w.must(w.Delete(w.Context(), w.secret(a, "genericsecret-key"))) // as the namespace controller does
	w.settle(c)
	w.spread(c, 1)

	w.sent.reset()
	w.settle(c)
	if writes := w.sent.writes("/" + a + "/"); len(writes) > 0 {
		t.Errorf("wrote into a namespace that is being deleted: %v", writes)
	}
	w.must(w.Delete(w.Context(), c))
	w.gone(c)
	w.noCopies(b)
}

func TestManyNamespaces(t *testing.T) {
	w := newWorld(t)
	for i := range v1alpha1.MaxStatusNamespaces + 1 {
		w.project(fmt.Sprintf("p%d", i), "")
	}
	w.run()
	c := w.credential(w.layout.SystemNamespace, "key", v1alpha1.Generic, clusterScope)
	status := w.because(c, v1alpha1.ReasonSourceMissing)
	if len(status.PendingNamespaces) != v1alpha1.MaxStatusNamespaces || !status.Namespaces.Truncated {
		t.Errorf("%d pending namespaces, truncated: %t", len(status.PendingNamespaces), status.Namespaces.Truncated)
	}
	w.source(w.layout.SystemNamespace, "key", kinds[v1alpha1.Generic], clusterScope)
	done := w.spread(c, v1alpha1.MaxStatusNamespaces+1)
	if done.PendingNamespaces != nil || done.Namespaces.Truncated {
		t.Errorf("still pending: %v", done.PendingNamespaces)
	}
	if writes := w.sent.writes("/secrets"); len(writes) != v1alpha1.MaxStatusNamespaces+2 {
		t.Errorf("%d writes", len(writes))
	}
}
