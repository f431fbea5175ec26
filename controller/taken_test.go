// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"testing"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestTakenByASource: who reads the source of a project's credential uses that, and
// not the wider one that would have its copy under the same name. What to do about
// it does not break the other.
func TestTakenByASource(t *testing.T) {
	w := newWorld(t)
	a, b := w.project("a", ""), w.project("b", "")
	w.run()
	w.source(a, "genericsecret-key", kinds[v1alpha1.Generic], projectScope)
	narrow := &v1alpha1.Credential{}
	narrow.Namespace, narrow.Name = a, "mine"
	narrow.Spec = v1alpha1.CredentialSpec{Type: v1alpha1.Generic, Scope: projectScope, SecretRef: v1alpha1.SecretReference{Name: "genericsecret-key"}}
	w.must(w.Create(w.Context(), narrow))
	w.spread(narrow, 1)
	w.pod(a, "direct", "genericsecret-key", nil)
	w.pod(b, "direct", "genericsecret-key", nil)
	w.usedBy(narrow, "Pod "+a+"/direct")

	wide := w.generic("key")
	w.usedBy(wide, "Pod "+b+"/direct")
	w.deployment(a, "named", "key")
	status := w.usedBy(wide, "Deployment "+a+"/named", "Pod "+b+"/direct")
	want := v1alpha1.NamespaceIssue{Namespace: a, Reason: v1alpha1.IssueNameTaken, Message: "Secret genericsecret-key is the source of Credential " + a +
		"/mine there, and is left as it is: to have this credential there, make that one again with a Secret of another name"}
	if len(status.Issues) != 1 || status.Issues[0] != want {
		t.Errorf("the issues are %+v", status.Issues)
	}

	// When the name is free, whoever reads the Secret uses this one.
	w.must(w.Delete(w.Context(), narrow))
	w.gone(narrow)
	w.must(w.Delete(w.Context(), w.secret(a, "genericsecret-key")))
	w.spread(wide, 2)
	w.usedBy(wide, "Deployment "+a+"/named", "Pod "+a+"/direct", "Pod "+b+"/direct")
}

// TestHomeIsNoneAnyMore: what is told of the projects, and how to mend it, is what
// became of the home.
func TestHomeIsNoneAnyMore(t *testing.T) {
	w := newWorld(t)
	home := w.namespace("home", map[string]string{v1alpha1.LabelDepartmentHome: "research"})
	a := w.project("a", "research")
	w.run()
	c := w.ofResearch(home, "key")
	w.spread(c, 1)
	w.relabel(w.namespaceNamed(home), v1alpha1.LabelDepartmentHome, "")
	want := "namespace " + home + " is not a project, not a department's home and not the system namespace; label it " +
		v1alpha1.LabelDepartmentHome + "=research, or create the credential in the system namespace " + w.layout.SystemNamespace
	if message := ready(w.because(c, v1alpha1.ReasonNotAProject)).Message; message != want {
		t.Errorf("Ready says: %s", message)
	}
	w.eventually("the event says so", func() error {
		return w.says(c, "Normal Withdrawn: withdrew the copy from "+a+": "+want)
	})
}

// TestProjectBecomesAHome: the label of a project is still there, and is not what is
// wrong.
func TestProjectBecomesAHome(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	c := w.generic("key")
	w.spread(c, 1)
	w.injected(a, "web")
	w.usedBy(c, "Pod "+a+"/web")
	w.relabel(w.namespaceNamed(a), v1alpha1.LabelDepartmentHome, "research")
	w.leftBehind(c, a, "take the label "+v1alpha1.LabelDepartmentHome+" off the namespace")
	w.eventually("the event says so", func() error {
		return w.says(c, "Warning Withdrawn: withdrew the copy from "+a+": no project any more: it is the home of department research (label credence.dev/department-home)")
	})
}
