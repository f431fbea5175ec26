// SPDX-License-Identifier: Apache-2.0

package uninstall_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/uninstall"
)

// TestCopies: they stay, become ordinary Secrets, or go, as is wanted. What lacks a mark
// is somebody's own.
func TestCopies(t *testing.T) {
	for wanted, want := range map[uninstall.Copies]struct {
		labels map[string]string // nil if it is gone
		marks  int
		trust  bool
	}{
		uninstall.KeepCopies: {map[string]string{
			"example.com/mine": "yes", v1alpha1.LabelCopyOf: "copied", v1alpha1.LabelManagedBy: v1alpha1.ManagedByCredence}, 2, true},
		uninstall.ReleaseCopies: {map[string]string{"example.com/mine": "yes"}, 0, true},
		uninstall.DeleteCopies:  {nil, 0, false},
	} {
		t.Run(string(wanted), func(t *testing.T) {
			w := newWorld(t, apiServer.Config(t))
			w.options.Copies = wanted
			copied, own := w.copied("copied"), w.copied("own")
			delete(own.Annotations, v1alpha1.AnnotationFingerprint)
			trust := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.project, Name: "trust", Labels: map[string]string{
				v1alpha1.LabelCABundle: "sum", v1alpha1.LabelManagedBy: v1alpha1.ManagedByCredence}}}
			other := trust.DeepCopy()
			other.Name, other.Labels = "other", map[string]string{v1alpha1.LabelCABundle: "sum"}
			w.create(copied, own, trust, other)
			uid, version, owns := copied.UID, copied.ResourceVersion, own.ResourceVersion
			w.run()
			if !w.there(own) || own.ResourceVersion != owns || !w.there(other) {
				t.Error("something of somebody's own was touched")
			}
			if w.there(trust) != want.trust {
				t.Errorf("the certificates are there: %t", !want.trust)
			}
			if !w.there(copied) {
				if want.labels != nil {
					t.Error("the copy is gone")
				}
				return
			}
			if want.labels == nil {
				t.Fatal("the copy is there")
			}
			if diff := cmp.Diff(want.labels, copied.Labels); diff != "" || len(copied.Annotations) != want.marks {
				t.Errorf("labels (-want +got):\n%s\nannotations: %v", diff, copied.Annotations)
			}
			if copied.UID != uid || string(copied.Data["token"]) != "not-a-secret" {
				t.Error("it is another Secret")
			}
			if wanted == uninstall.KeepCopies && copied.ResourceVersion != version {
				t.Error("a copy that stays was written")
			}
		})
	}
}

// TestRefusal: who refuses a write of a copy may quote its values, which are not
// repeated; the rest is done all the same.
func TestRefusal(t *testing.T) {
	w := newWorld(t, apiServer.Config(t))
	c, copied := w.credential("held", v1alpha1.Finalizer), w.copied("copied")
	w.create(c, copied)
	policy := refusing("nosy", nil)
	deny, binding := policy[2].(*admissionregistrationv1.ValidatingAdmissionPolicy), policy[3]
	rule := &deny.Spec.MatchConstraints.ResourceRules[0]
	rule.APIGroups, rule.Resources = []string{""}, []string{"secrets"}
	rule.Operations = []admissionregistrationv1.OperationType{admissionregistrationv1.Update}
	deny.Spec.Validations[0].MessageExpression = `"its token is " + string(object.data.token)`
	w.create(deny, binding)
	token := base64.StdEncoding.EncodeToString([]byte("not-a-secret"))
	w.eventually("the policy is in force", func() error {
		err := w.Patch(t.Context(), copied.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"a":"b"}}}`)), client.DryRunAll)
		if err == nil || !strings.Contains(err.Error(), token) {
			return errNotYet
		}
		return nil
	})
	w.options.Copies, w.options.Timeout = uninstall.ReleaseCopies, brief
	err := uninstall.Run(t.Context(), w.options)
	if err == nil || !strings.Contains(err.Error(), "releasing Secret "+w.project+"/copied: ") {
		t.Fatalf("the error is %v", err)
	}
	for _, text := range []string{err.Error(), w.said.String()} {
		if strings.Contains(text, token) || strings.Contains(text, "not-a-secret") {
			t.Errorf("a value is in %q", text)
		}
	}
	if left := w.finalizers(c); len(left) != 0 {
		t.Errorf("the finalizers are %v", left)
	}
}
