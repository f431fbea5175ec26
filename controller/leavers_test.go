// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// injected makes a bare pod as the webhook leaves it that asks for the credential
// key.
func (w *world) injected(namespace, name string) *corev1.Pod {
	w.Helper()
	return w.pod(namespace, name, "genericsecret-key", func(p *corev1.Pod) { p.Annotations = asking("key") })
}

// ofResearch makes a generic credential for the department research.
func (w *world) ofResearch(namespace, name string) *v1alpha1.Credential {
	w.Helper()
	w.source(namespace, name, kinds[v1alpha1.Generic], researchScope)
	return w.credential(namespace, name, v1alpha1.Generic, researchScope)
}

// leftBehind waits until a credential is told to have been needed in one namespace.
func (w *world) leftBehind(c *v1alpha1.Credential, namespace string, words ...string) v1alpha1.CredentialStatus {
	w.Helper()
	return w.status(c, "left behind in "+namespace, func(s v1alpha1.CredentialStatus) bool {
		fits := s.State == v1alpha1.StateIssuesFound && ready(s).Reason == v1alpha1.ReasonNamespaceIssues &&
			s.IssuesTotal == 1 && s.Issues[0].Namespace == namespace && s.Issues[0].Reason == v1alpha1.IssueLeftScope
		for _, word := range words {
			fits = fits && strings.Contains(s.Issues[0].Message, word)
		}
		return fits
	})
}

// TestLeavers: a namespace that leaves the scope while pods there have the credential
// is an issue until they have not, or it is back.
func TestLeavers(t *testing.T) {
	w := newWorld(t)
	a, b := w.project("a", "research"), w.project("b", "research")
	w.run()
	c := w.ofResearch(w.layout.SystemNamespace, "key")
	w.spread(c, 2)
	pod := w.injected(b, "resb")
	w.deployment(b, "named", "key") // was never injected
	w.pod(a, "stays", "genericsecret-key", nil)

	department, research := w.layout.DepartmentLabel, w.layout.DepartmentLabel+"=research"
	namespace := w.namespaceNamed(b)
	w.relabel(namespace, department, "sales")
	w.leftBehind(c, b, "1 workload there still refers to it, Pod "+b+"/resb, and its copy is withdrawn: label the namespace "+
		research+" again, or take it off the workload")
	w.noCopies(b)
	w.eventually("it is told", func() error {
		return w.says(c, "Warning NamespaceIssues: 1 issue, the first in namespace "+b+": LeftScope: 1 workload there")
	})

	w.injected(b, "another") // as with an index that is behind
	before := w.leftBehind(c, b, "2 workloads there still refer to it, such as Pod "+b+"/another")
	t.Run("a restart", func(t *testing.T) {
		w.late = &atomic.Bool{}
		w.run()
		w.settle(c)
		w.settle(c)
		if diff := cmp.Diff(before, w.leftBehind(c, b)); diff != "" {
			t.Errorf("before the index was complete (-before +after):\n%s", diff)
		}
		w.remove(pod)
		w.late.Store(true)
		w.leftBehind(c, b, "1 workload there still refers to it, Pod "+b+"/another")
	})

	// What mends it depends on both labels, whichever changed last.
	w.relabel(namespace, w.layout.ProjectLabel, "")
	w.leftBehind(c, b, "label the namespace "+w.layout.ProjectLabel+"=<name> and "+research+" again")
	w.relabel(namespace, w.layout.ProjectLabel, "b")
	w.leftBehind(c, b, "label the namespace "+research+" again")

	w.relabel(namespace, department, "research") // back
	w.spread(c, 2)
	w.relabel(namespace, w.layout.ProjectLabel, "")
	w.leftBehind(c, b, "label the namespace "+w.layout.ProjectLabel+"=<name> and "+research+" again")
	w.remove(w.podNamed(b, "another"))
	w.spread(c, 1)

	t.Run("by the name of the Secret", func(t *testing.T) {
		w.pod(b, "direct", "genericsecret-key", nil)
		w.leftBehind(c, b, "Pod "+b+"/direct")
		own := w.secretNamed(b, "genericsecret-key") // which it may well mean
		w.must(w.Create(w.Context(), own))
		w.settle(c)
		w.spread(c, 1)
		w.must(w.Delete(w.Context(), own))
		w.settle(c)
		w.leftBehind(c, b, "Pod "+b+"/direct")
		w.remove(w.podNamed(b, "direct"))
		w.spread(c, 1)
	})
	t.Run("known late", func(t *testing.T) {
		w.injected(b, "late")
		w.leftBehind(c, b, "Pod "+b+"/late")
		w.remove(w.podNamed(b, "late"))
		w.spread(c, 1)
	})
}

func (w *world) secretNamed(namespace, name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

func (w *world) podNamed(namespace, name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

// TestLeaversOfOneName: where several credentials have one name, only the one that
// had a copy in the namespace is told of it. Where the name means another one now,
// none is.
func TestLeaversOfOneName(t *testing.T) {
	w := newWorld(t)
	home := w.namespace("home", map[string]string{v1alpha1.LabelDepartmentHome: "research"})
	sales := w.namespace("sales", map[string]string{v1alpha1.LabelDepartmentHome: "sales"})
	a := w.project("a", "research")
	w.project("b", "sales")
	w.project("c", "research")
	w.run()
	c := w.ofResearch(home, "key")
	salesScope := v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: "sales"}
	w.source(sales, "key", kinds[v1alpha1.Generic], salesScope)
	other := w.credential(sales, "key", v1alpha1.Generic, salesScope)
	w.spread(c, 2)
	w.spread(other, 1)
	w.injected(a, "web")
	w.usedBy(c, "Pod "+a+"/web")

	namespace := w.namespaceNamed(a)
	w.relabel(namespace, w.layout.DepartmentLabel, "sales")
	w.spread(c, 1)
	w.spread(other, 2)
	w.relabel(namespace, w.layout.DepartmentLabel, "none")
	w.leftBehind(other, a)
	w.settle(c)
	w.spread(c, 1)
}

// TestLeaverBeforeTheIndex: one that leaves while it is not known who uses what is
// told of when it is.
func TestLeaverBeforeTheIndex(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.late = &atomic.Bool{}
	w.run()
	c := w.generic("key")
	w.spread(c, 1)
	w.injected(a, "web")
	w.relabel(w.namespaceNamed(a), w.layout.ProjectLabel, "")
	w.noCopies(a)
	w.spread(c, 0)
	w.late.Store(true)
	w.leftBehind(c, a, "1 workload there still refers to it, Pod "+a+"/web")
}
