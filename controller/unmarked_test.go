// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestUnmarkedCopy: a copy that somebody took one of the marks off is an ordinary
// Secret of theirs.
func TestUnmarkedCopy(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	c := w.generic("key")
	w.spread(c, 1)
	for name, edit := range map[string]func(*corev1.Secret){
		"copy-of":     func(s *corev1.Secret) { delete(s.Labels, v1alpha1.LabelCopyOf) },
		"managed-by":  func(s *corev1.Secret) { delete(s.Labels, v1alpha1.LabelManagedBy) },
		"copy-of-uid": func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.AnnotationCopyOfUID) },
		"fingerprint": func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.AnnotationFingerprint) },
		"all":         func(s *corev1.Secret) { s.Labels, s.Annotations = nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{T: t, Client: w.Client, layout: w.layout}
			copied := w.secret(a, "genericsecret-key")
			edit(copied)
			w.must(w.Update(w.Context(), copied))
			status := w.because(c, v1alpha1.ReasonNamespaceIssues)
			if len(status.TakenNamespaces) != 1 || status.Issues[0].Reason != v1alpha1.IssueNameTaken {
				t.Errorf("the status is %+v", status)
			}
			if diff := cmp.Diff(copied, w.secret(a, "genericsecret-key")); diff != "" {
				t.Errorf("it was touched (-before +after):\n%s", diff)
			}
			w.must(w.Delete(w.Context(), copied))
			w.spread(c, 1)
		})
	}
}

// TestForeignSecretBeforeThePost: somebody makes a Secret of the name between the
// look that found none and the write. The first write takes nothing over.
func TestForeignSecretBeforeThePost(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	mine := func(value string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: a, Name: "genericsecret-key"}, Data: bytes(map[string]string{"mine": value})}
	}
	first := mine("1")
	w.must(w.Create(w.Context(), first))
	var posts atomic.Int32
	w.hold = func(r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/namespaces/"+a+"/secrets") && posts.Add(1) == 2 {
			if err := w.Create(t.Context(), mine("2")); err != nil {
				t.Error(err)
			}
		}
	}
	w.run()
	c := w.generic("key")
	taken := func(s v1alpha1.CredentialStatus) bool { return len(s.TakenNamespaces) == 1 }
	w.status(c, "taken", taken)
	w.must(w.Delete(w.Context(), first))
	second := &corev1.Secret{}
	w.eventually("the copy was tried again", func() error {
		return w.Get(w.Context(), client.ObjectKeyFromObject(first), second)
	})
	w.settle(c)
	w.status(c, "taken", taken)
	if diff := cmp.Diff(second, w.secret(a, "genericsecret-key")); diff != "" {
		t.Errorf("it was touched (-before +after):\n%s", diff)
	}
	w.must(w.Delete(w.Context(), second))
	w.spread(c, 1)
}

// TestScopeWhileDown: everything that changes a scope happens while no controller
// runs, and is made up for at the start.
func TestScopeWhileDown(t *testing.T) {
	w := newWorld(t)
	moved, left := w.project("moved", "research"), w.project("left", "research")
	stays := w.project("stays", "research")
	w.run()
	w.source(w.layout.SystemNamespace, "narrow", kinds[v1alpha1.Generic], researchScope)
	narrow := w.credential(w.layout.SystemNamespace, "narrow", v1alpha1.Generic, researchScope)
	wide, withdrawn, gone := w.generic("wide"), w.generic("withdrawn"), w.generic("gone")
	for _, c := range []*v1alpha1.Credential{narrow, wide, withdrawn, gone} {
		w.spread(c, 3)
	}
	w.stop()
	w.relabel(w.namespaceNamed(moved), w.layout.DepartmentLabel, "sales")
	w.relabel(w.namespaceNamed(left), w.layout.ProjectLabel, "")
	w.relabel(w.secret(w.layout.SystemNamespace, "withdrawn"), v1alpha1.LabelSourceClusterWide, "")
	w.vanish(gone)
	w.run()
	w.spread(narrow, 1)
	w.spread(wide, 2)
	w.because(withdrawn, v1alpha1.ReasonSourceNotAuthorized)
	w.count("gone", 0)
	for namespace, want := range map[string][]string{
		moved: {"genericsecret-wide"}, left: nil, stays: {"genericsecret-narrow", "genericsecret-wide"},
	} {
		if diff := cmp.Diff(want, w.copiesIn(namespace)); diff != "" {
			t.Errorf("copies in %s (-want +got):\n%s", namespace, diff)
		}
	}
}
