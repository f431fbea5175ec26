// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller"
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
			for range 2 { // passes that came of the last copies are over then
				w.settle(other)
			}
			if missed := w.sent.missing("PATCH", "/credentials/key"); missed > 0 {
				t.Errorf("the finalizer was removed once more, %d times", missed)
			}
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
			for _, event := range w.events(c, "Propagated", "Propagated", map[bool]string{true: "Kept", false: "Withdrawn"}[kept]) {
				if released := strings.HasPrefix(event.Note, "released the copy from"); released != (event.Reason == "Kept") {
					t.Errorf("%s: %s", event.Reason, event.Note)
				}
			}
			if w.secret(w.layout.SystemNamespace, "key") == nil {
				t.Error("the source went too")
			}
		})
	}
}

// TestProjectIsNotHeld: a project's credential has no copies, so it and its namespace
// go while no controller runs; also one that an older version held.
func TestProjectIsNotHeld(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.source(a, "key", kinds[v1alpha1.Generic], projectScope)
	c := w.credential(a, "key", v1alpha1.Generic, projectScope)
	w.change(c, func() { c.Finalizers = []string{v1alpha1.Finalizer} })
	w.run()
	w.status(c, "without issues", func(s v1alpha1.CredentialStatus) bool { return s.State == v1alpha1.StateNoIssuesFound })
	w.stop()
	w.must(w.Delete(w.Context(), c))
	w.gone(c)
}

// TestKeptSource: a project's pods use the source itself, which is what is kept for them,
// although it was made with its credential and would go with it.
func TestKeptSource(t *testing.T) {
	for force, kept := range map[string]bool{"true": false, "keep": true} {
		t.Run("force-delete="+force, func(t *testing.T) {
			w := newWorld(t)
			a := w.project("a", "")
			w.run()
			source := w.made(a, "key", "key", nil)
			c := w.credential(a, "key", v1alpha1.Generic, projectScope)
			w.adopted(source, c)
			w.status(c, "without issues", func(s v1alpha1.CredentialStatus) bool { return s.State == v1alpha1.StateNoIssuesFound })
			w.change(c, func() { c.Annotations = map[string]string{v1alpha1.AnnotationForceDelete: force} })
			w.must(w.Delete(w.Context(), c))
			w.gone(c)
			now := w.secret(a, "key")
			owned := len(now.OwnerReferences) > 0 || now.Labels[v1alpha1.LabelSourceOf] != ""
			if owned == kept || !cmp.Equal(now.Data, source.Data) {
				t.Errorf("the source has the owners %v and labels %v", now.OwnerReferences, now.Labels)
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

// TestTerminatingHome: the namespace of a credential is never held back by it. What
// is left of its copies then goes by itself, or stays as an ordinary Secret if that
// was asked for: also after a restart, and although there is another credential
// that would take it over.
func TestTerminatingHome(t *testing.T) {
	for name, test := range map[string]struct {
		force          string
		restart, rival bool
	}{
		"removed":              {},
		"kept":                 {force: "keep"},
		"kept over a restart":  {force: "keep", restart: true},
		"kept beside a rival":  {force: "keep", rival: true},
		"removed after a no":   {force: "no"},
		"removed, as is asked": {force: "true"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			home := w.namespace("home", map[string]string{v1alpha1.LabelDepartmentHome: "research"})
			strict := w.project("strict", "research")
			w.run()
			w.source(home, "key", kinds[v1alpha1.Generic], researchScope)
			c := w.credential(home, "key", v1alpha1.Generic, researchScope)
			w.spread(c, 1)
			w.spread(w.generic("other"), 1) // without any Credential left, the stray would be held
			if test.force != "" {
				w.change(c, func() { c.Annotations = map[string]string{v1alpha1.AnnotationForceDelete: test.force} })
			}
			var rival *v1alpha1.Credential
			if test.rival {
				rival = w.generic("key")
			}
			before := w.secret(strict, "genericsecret-key")
			policy, binding := w.refuseSecrets(strict)
			w.must(w.Delete(w.Context(), w.namespaceNamed(home)))
			w.must(w.Delete(w.Context(), c)) // as the namespace controller does
			w.gone(c)
			if test.restart {
				w.stop()
			}
			w.must(w.Delete(w.Context(), binding))
			w.must(w.Delete(w.Context(), policy))
			if test.restart {
				w.run()
			}
			w.eventually("the copy is none any more", func() error {
				if found := w.copiesIn(strict); len(found) != 1 || found[0] != "genericsecret-other" {
					return fmt.Errorf("the copies are %v", found)
				}
				return nil
			})
			if rival != nil {
				status := w.because(rival, v1alpha1.ReasonNamespaceIssues)
				if status.Issues[0].Reason != v1alpha1.IssueNameTaken {
					t.Errorf("the issues are %+v", status.Issues)
				}
			}
			if w.checkKept(strict, before, test.force == "keep"); test.force == "keep" {
				w.nothingNoted()
			}
		})
	}
}

// checkKept says that what was a copy is an ordinary Secret now, or gone.
func (w *world) checkKept(namespace string, before *corev1.Secret, kept bool) {
	w.Helper()
	left := w.secret(namespace, before.Name)
	if (left != nil) != kept {
		w.Fatalf("the Secret is there: %t", left != nil)
	}
	if kept && (left.UID != before.UID || len(left.Labels)+len(left.Annotations) > 0 || !cmp.Equal(left.Data, before.Data)) {
		w.Errorf("what was kept has the UID %s, labels %v, annotations %v", left.UID, left.Labels, left.Annotations)
	}
}

// nothingNoted waits until no Credential is on record whose copies are kept.
func (w *world) nothingNoted() {
	w.Helper()
	w.eventually("nothing is noted any more", func() error {
		var lease coordinationv1.Lease
		if err := w.Get(w.Context(), client.ObjectKey{Namespace: w.layout.InstallNamespace, Name: controller.LeaseName}, &lease); err != nil {
			return err
		}
		if noted, ok := lease.Annotations[v1alpha1.AnnotationKeptCopies]; ok {
			return fmt.Errorf("noted is %s", noted)
		}
		return nil
	})
}

// TestKeptWithoutFinalizer: somebody who is tired of waiting for copies to be
// released strips the finalizer.
func TestKeptWithoutFinalizer(t *testing.T) {
	w := newWorld(t)
	strict, b := w.project("strict", ""), w.project("b", "")
	w.run()
	c, other := w.generic("key"), w.generic("other")
	w.spread(c, 2)
	w.spread(other, 2)
	before := w.secret(strict, "genericsecret-key")
	policy, binding := w.refuseSecrets(strict)
	w.change(c, func() { c.Annotations = map[string]string{v1alpha1.AnnotationForceDelete: "keep"} })
	w.must(w.Delete(w.Context(), c))
	w.status(c, "held back", func(s v1alpha1.CredentialStatus) bool { return s.IssuesTotal == 1 })
	if w.secret(b, "genericsecret-key") == nil {
		t.Error("the other copy is gone")
	}
	w.strip(c)
	w.gone(c)
	w.must(w.Delete(w.Context(), binding))
	w.must(w.Delete(w.Context(), policy))
	w.count("key", 0)
	w.checkKept(strict, before, true)
	w.nothingNoted()
}
