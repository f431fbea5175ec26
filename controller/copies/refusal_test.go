// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/credence-dev/credence/api/v1alpha1"
)

func TestRefused(t *testing.T) {
	secrets := schema.GroupResource{Resource: "secrets"}
	forbidden := func(text string) error { return apierrors.NewForbidden(secrets, "s", errors.New(text)) }
	denied := func(code int32, message string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Code: code, Message: message}}
	}
	terminating := apierrors.NewForbidden(secrets, "s", errors.New("because it is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	wanted := Wanted{Name: "genericsecret-key"}.Fill(map[string][]byte{"k": []byte("not-a-secret"), "pin": []byte("1")}, "f")

	for name, test := range map[string]struct {
		err     error
		reason  string
		message string
	}{
		"terminating":     {terminating, v1alpha1.IssueNamespaceTerminating, "being deleted"},
		"no namespace":    {apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "a"), v1alpha1.IssueNamespaceTerminating, "being deleted"},
		"quota":           {forbidden("exceeded quota: q, requested: secrets=1, used: secrets=10, limited: secrets=10"), v1alpha1.IssueQuotaExceeded, "quota"},
		"webhook":         {denied(400, `admission webhook "w.example.com" denied the request: no`), v1alpha1.IssueAdmissionRefused, "w.example.com"},
		"policy":          {denied(422, "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"), v1alpha1.IssueAdmissionRefused, "policy"},
		"plugin":          {forbidden("minimum something"), v1alpha1.IssueAdmissionRefused, "minimum"},
		"no rights":       {forbidden(`User "credence" cannot create resource "secrets" in API group ""`), v1alpha1.IssueWriteFailed, "cannot create"},
		"webhook is down": {apierrors.NewInternalError(errors.New(`failed calling webhook "w.example.com"`)), v1alpha1.IssueWriteFailed, "failed calling"},
		"connection":      {errors.New("connection refused"), v1alpha1.IssueWriteFailed, "connection refused"},
		"wrapped":         {fmt.Errorf("deleting copy a/b: %w", terminating), v1alpha1.IssueNamespaceTerminating, "being deleted"},
		"tells a value":   {denied(400, `admission webhook "w" denied the request: not-a-secret is weak`), v1alpha1.IssueAdmissionRefused, "refused Secret genericsecret-key"},
		"tells base64":    {denied(400, `admission webhook "w" denied the request: bm90LWEtc2VjcmV0 is weak`), v1alpha1.IssueAdmissionRefused, "refused Secret genericsecret-key"},
		"is long":         {errors.New(strings.Repeat("ü", 1000)), v1alpha1.IssueWriteFailed, "…"},
	} {
		t.Run(name, func(t *testing.T) {
			got := wanted.refused(test.err)
			if got.Reason != test.reason || !strings.Contains(strings.ToLower(got.Message), strings.ToLower(test.message)) {
				t.Errorf("%s: %s", got.Reason, got.Message)
			}
			if strings.Contains(got.Message, "not-a-secret") || strings.Contains(got.Message, "bm90LWEtc2VjcmV0") {
				t.Errorf("a value is told: %s", got.Message)
			}
			if len(got.Message) > 512 || !utf8.ValidString(got.Message) {
				t.Errorf("%d bytes", len(got.Message))
			}
		})
	}
}
