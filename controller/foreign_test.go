// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestForeignSecret: what somebody else made is never touched, whatever of our
// marks it has, and is looked at again (external-secrets#3199 never did).
func TestForeignSecret(t *testing.T) {
	label := map[string]string{v1alpha1.LabelCopyOf: "key"}
	managed := map[string]string{v1alpha1.LabelCopyOf: "key", v1alpha1.LabelManagedBy: v1alpha1.ManagedByCredence}
	for name, meta := range map[string]metav1.ObjectMeta{
		"no marks":       {},
		"label":          {Labels: label},
		"labels":         {Labels: managed},
		"no UID":         {Labels: managed, Annotations: map[string]string{v1alpha1.AnnotationFingerprint: "0:0"}},
		"no fingerprint": {Labels: managed, Annotations: map[string]string{v1alpha1.AnnotationCopyOfUID: "0"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.project("a", "")
			w.project("b", "")
			meta.Namespace, meta.Name = a, "genericsecret-key"
			foreign := &corev1.Secret{ObjectMeta: meta, Data: bytes(map[string]string{"mine": "yes"})}
			w.must(w.Create(w.Context(), foreign))
			w.run()
			c := w.generic("key")
			status := w.status(c, "taken", func(s v1alpha1.CredentialStatus) bool { return s.Namespaces.Ready == 1 && len(s.TakenNamespaces) == 1 })
			if status.TakenNamespaces[0] != a || status.PendingNamespaces != nil || status.State != v1alpha1.StateIssuesFound ||
				status.IssuesTotal != 1 || status.Issues[0].Reason != v1alpha1.IssueNameTaken {
				t.Errorf("the status is %+v", status)
			}
			if diff := cmp.Diff(foreign, w.secret(a, "genericsecret-key")); diff != "" {
				t.Errorf("it was touched (-before +after):\n%s", diff)
			}
			w.must(w.Delete(w.Context(), foreign))
			w.spread(c, 2)
			if got := w.secret(a, "genericsecret-key"); got == nil || string(got.Data["api-key"]) != "not-a-secret-1" {
				t.Error("there is no copy in its place")
			}
		})
	}
}

// TestEditedCopyIsRestored covers what leaves the fingerprint as it is.
func TestEditedCopyIsRestored(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	c := w.generic("key")
	status := w.spread(c, 1)
	for name, edit := range map[string]func(*corev1.Secret){
		"value":       func(s *corev1.Secret) { s.Data["api-key"] = []byte("other") },
		"key added":   func(s *corev1.Secret) { s.Data["more"] = []byte("other") },
		"key removed": func(s *corev1.Secret) { delete(s.Data, "region"); s.Data["api-key"] = []byte("other") },
		"fingerprint": func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationFingerprint] = "0:0" },
		"immutable":   func(s *corev1.Secret) { s.Data["api-key"] = []byte("other"); s.Immutable = new(true) },
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{T: t, Client: w.Client}
			copied := w.secret(a, "genericsecret-key")
			copied.Labels["team"] = "blue"
			edit(copied)
			w.must(w.Update(w.Context(), copied, client.FieldOwner("kubectl-edit")))
			w.eventually("the copy is restored", func() error {
				now := w.secret(a, "genericsecret-key")
				if now == nil {
					return fmt.Errorf("there is none")
				}
				if now.Annotations[v1alpha1.AnnotationFingerprint] != status.Fingerprint {
					return fmt.Errorf("the fingerprint is not ours")
				}
				if diff := cmp.Diff(bytes(kinds[v1alpha1.Generic].data), now.Data); diff != "" {
					return fmt.Errorf("data (-want +got):\n%s", diff)
				}
				if now.UID == copied.UID && now.Labels["team"] != "blue" {
					t.Error("a label of somebody else's went")
				}
				return nil
			})
		})
	}
	t.Run("applied as text", func(t *testing.T) {
		// The manager is on record for stringData, and nobody for the data it becomes.
		apply := &corev1.Secret{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
			ObjectMeta: metav1.ObjectMeta{Namespace: a, Name: "genericsecret-key"}, StringData: map[string]string{"api-key": "other", "more": "other"}}
		w.must(w.Patch(w.Context(), apply, client.Apply, client.FieldOwner("kubectl"), client.ForceOwnership)) //nolint:staticcheck // as a client of any age does
		w.eventually("the copy is restored", func() error {
			if diff := cmp.Diff(bytes(kinds[v1alpha1.Generic].data), w.secret(a, "genericsecret-key").Data); diff != "" {
				return fmt.Errorf("data (-want +got):\n%s", diff)
			}
			return nil
		})
	})
	t.Run("same values", func(t *testing.T) {
		// Somebody applies what is there already: no write makes that manager go, so
		// it must not be tried for ever.
		apply := &corev1.Secret{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
			ObjectMeta: metav1.ObjectMeta{Namespace: a, Name: "genericsecret-key"}, Data: bytes(kinds[v1alpha1.Generic].data)}
		w.must(w.Patch(w.Context(), apply, client.Apply, client.FieldOwner("flux"), client.ForceOwnership)) //nolint:staticcheck // as a client of any age does
		w.settle(c)
		w.settle(c)
		w.sent.reset()
		w.settle(c)
		w.settle(c)
		if writes := w.sent.writes("/secrets"); len(writes) > 0 {
			t.Errorf("it goes on writing %v", writes)
		}
	})
	t.Run("deleted", func(t *testing.T) {
		w.must(w.Delete(w.Context(), w.secret(a, "genericsecret-key")))
		w.eventually("the copy is back", func() error {
			if w.secret(a, "genericsecret-key") == nil {
				return fmt.Errorf("it is not")
			}
			return nil
		})
	})
}

// TestRefusals: each namespace says what is wrong with it, the others get their
// copies, and what is wrong is tried again.
func TestRefusals(t *testing.T) {
	w := newWorld(t)
	full, strict := w.project("full", ""), w.project("strict", "")
	for i := range 5 {
		w.project(fmt.Sprintf("p%d", i), "")
	}
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: full, Name: "none"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/secrets": resource.MustParse("0")}}}
	w.must(w.Create(w.Context(), quota))
	quota.Status = corev1.ResourceQuotaStatus{Hard: quota.Spec.Hard, Used: corev1.ResourceList{"count/secrets": resource.MustParse("0")}}
	w.must(w.Status().Update(w.Context(), quota)) // as the controller manager does
	policy, binding := w.refuseSecrets(strict)

	w.run()
	c := w.generic("key")
	status := w.status(c, "refused twice", func(s v1alpha1.CredentialStatus) bool { return s.Namespaces.Ready == 5 && s.IssuesTotal == 2 })
	if status.Issues[0].Reason != v1alpha1.IssueQuotaExceeded || status.Issues[1].Reason != v1alpha1.IssueAdmissionRefused {
		t.Errorf("the issues are %+v", status.Issues)
	}
	if message := status.Issues[0].Message; !strings.Contains(message, "quota none ") {
		t.Errorf("the quota is not named: %s", message)
	}
	if message := status.Issues[1].Message; !strings.Contains(message, "ValidatingAdmissionPolicy "+policy.GetName()+" refused") || strings.Contains(message, "no Secrets today") {
		t.Errorf("the policy is not named, or its words are told: %s", message)
	}
	if len(status.PendingNamespaces) != 2 || status.TakenNamespaces != nil {
		t.Errorf("pending are %v", status.PendingNamespaces)
	}
	w.must(w.Delete(w.Context(), binding))
	w.must(w.Delete(w.Context(), policy))
	w.must(w.Delete(w.Context(), quota))
	w.spread(c, 7)
}

// refuseSecrets has a policy refuse Secrets in a namespace, once it is in force.
func (w *world) refuseSecrets(namespace string) (policy, binding client.Object) {
	w.Helper()
	name := w.prefix + "-no-secrets"
	policy = &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: admissionv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
			Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update, admissionv1.Delete},
			Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"secrets"}},
		}}}},
		Validations: []admissionv1.Validation{{Expression: "false", Message: "no Secrets today"}},
	}}
	binding = &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		MatchResources: &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}}},
	}}
	w.must(w.Create(w.Context(), policy))
	w.must(w.Create(w.Context(), binding))
	w.eventually("the policy is in force", func() error {
		probe := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "probe-"}}
		if err := w.Create(w.Context(), probe, client.DryRunAll); err == nil {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	return policy, binding
}
