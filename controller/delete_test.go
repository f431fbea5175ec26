// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// gone waits until an object is.
func (w *world) gone(object client.Object) {
	w.Helper()
	w.eventually("it is gone", func() error {
		err := w.Get(w.Context(), client.ObjectKeyFromObject(object), object)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is not: %v, %w", object, err)
	})
}

func TestDelete(t *testing.T) {
	for force, kept := range map[string]bool{"": false, "true": false, "keep": true} {
		t.Run("force-delete="+force, func(t *testing.T) {
			w := newWorld(t)
			a, b := w.project("a", ""), w.project("b", "")
			w.run()
			c, other := w.generic("key"), w.generic("other")
			w.spread(c, 2)
			w.spread(other, 2)
			if force != "" {
				w.change(c, func() { c.Annotations = map[string]string{v1alpha1.AnnotationForceDelete: force} })
			}
			w.must(w.Delete(w.Context(), c))
			w.gone(c)
			for _, namespace := range []string{a, b} {
				if found := w.copiesIn(namespace); len(found) != 1 || found[0] != "genericsecret-other" {
					t.Errorf("the copies in %s are %v", namespace, found)
				}
				left := w.secret(namespace, "genericsecret-key")
				if (left != nil) != kept {
					t.Fatalf("the Secret is there: %t", left != nil)
				}
				if kept && (len(left.Labels)+len(left.Annotations) > 0 || !cmp.Equal(left.Data, bytes(kinds[v1alpha1.Generic].data))) {
					t.Errorf("what was kept has the labels %v and annotations %v", left.Labels, left.Annotations)
				}
			}
			if w.secret(w.layout.SystemNamespace, "key") == nil {
				t.Error("the source went too")
			}
		})
	}
}

// TestDeleteIsHeldBack: a copy that cannot be removed holds its credential, and
// the status says where and why.
func TestDeleteIsHeldBack(t *testing.T) {
	w := newWorld(t)
	strict := w.project("strict", "")
	b := w.project("b", "")
	w.run()
	c := w.generic("key")
	w.spread(c, 2)
	policy, binding := w.refuseSecrets(strict)
	w.must(w.Delete(w.Context(), c))
	status := w.status(c, "held back", func(s v1alpha1.CredentialStatus) bool { return s.IssuesTotal == 1 })
	if status.State != v1alpha1.StateDeleting || ready(status).Reason != v1alpha1.ReasonTerminating ||
		status.Issues[0].Namespace != strict || status.Issues[0].Reason != v1alpha1.IssueAdmissionRefused {
		t.Errorf("the status is %+v", status)
	}
	w.noCopies(b)
	w.must(w.Delete(w.Context(), binding))
	w.must(w.Delete(w.Context(), policy))
	w.gone(c)
	w.noCopies(strict)
}

// TestTerminatingHome: the namespace of a credential is never held back by it.
func TestTerminatingHome(t *testing.T) {
	w := newWorld(t)
	home := w.namespace("home", map[string]string{v1alpha1.LabelDepartmentHome: "research"})
	strict := w.project("strict", "research")
	w.run()
	w.source(home, "key", kinds[v1alpha1.Generic], researchScope)
	c := w.credential(home, "key", v1alpha1.Generic, researchScope)
	w.spread(c, 1)
	w.spread(w.generic("other"), 1) // without any Credential left, the stray would be held
	policy, binding := w.refuseSecrets(strict)
	w.must(w.Delete(w.Context(), w.namespaceNamed(home)))
	w.must(w.Delete(w.Context(), c)) // as the namespace controller does
	w.gone(c)
	w.must(w.Delete(w.Context(), binding))
	w.must(w.Delete(w.Context(), policy))
	w.eventually("the stray is gone", func() error {
		if found := w.copiesIn(strict); len(found) != 1 || found[0] != "genericsecret-other" {
			return fmt.Errorf("the copies are %v", found)
		}
		return nil
	})
}
