// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/credence-dev/credence/api/v1alpha1"
)

func TestRefused(t *testing.T) {
	secrets := schema.GroupResource{Resource: "secrets"}
	forbidden := func(text string) error { return apierrors.NewForbidden(secrets, "genericsecret-key", errors.New(text)) }
	denied := func(code int32, reason metav1.StatusReason, message string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Code: code, Reason: reason, Message: message}}
	}
	terminating := apierrors.NewForbidden(secrets, "s", errors.New("because it is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	wanted := Wanted{Name: "genericsecret-key"}.Fill(map[string][]byte{"k": []byte("not-a-secret")}, "f")

	for name, test := range map[string]struct {
		err    error
		reason string
		// message is all that is said.
		message string
	}{
		"terminating":     {terminating, v1alpha1.IssueNamespaceTerminating, "the namespace is being deleted"},
		"no namespace":    {apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "a"), v1alpha1.IssueNamespaceTerminating, "the namespace is being deleted"},
		"wrapped":         {fmt.Errorf("deleting copy a/b: %w", terminating), v1alpha1.IssueNamespaceTerminating, "the namespace is being deleted"},
		"quota":           {forbidden("exceeded quota: q, requested: secrets=1, used: secrets=10, limited: secrets=10"), v1alpha1.IssueQuotaExceeded, "quota q leaves no room for Secret genericsecret-key; raise it or remove a Secret"},
		"webhook":         {denied(400, "", `admission webhook "w.example.com" denied the request: not-a-secret`), v1alpha1.IssueAdmissionRefused, "admission webhook w.example.com refused Secret genericsecret-key (code 400); let it take Secrets with the label credence.dev/copy-of"},
		"webhook, reason": {denied(403, "Forbidden", `admission webhook "w.example.com" denied the request without explanation`), v1alpha1.IssueAdmissionRefused, "admission webhook w.example.com refused Secret genericsecret-key (Forbidden); let it take Secrets with the label credence.dev/copy-of"},
		"webhook, wrapped": {fmt.Errorf("deleting copy a/b: %w", denied(400, "", `admission webhook "w.example.com" denied the request: not-a-secret`)),
			v1alpha1.IssueAdmissionRefused, "admission webhook w.example.com refused Secret genericsecret-key (code 400); let it take Secrets with the label credence.dev/copy-of"},
		"webhook, any reason":     {denied(400, "not-a-secret", `admission webhook "w.example.com" denied the request: no`), v1alpha1.IssueAdmissionRefused, "admission webhook w.example.com refused Secret genericsecret-key (code 400); let it take Secrets with the label credence.dev/copy-of"},
		"webhook speaks of quota": {denied(403, "Forbidden", `admission webhook "w.example.com" denied the request: secrets "a" is forbidden: exceeded quota: not-a-secret, requested`), v1alpha1.IssueAdmissionRefused, "admission webhook w.example.com refused Secret genericsecret-key (Forbidden); let it take Secrets with the label credence.dev/copy-of"},
		"webhook speaks of users": {denied(403, "Forbidden", `admission webhook "w.example.com" denied the request: User "not-a-secret" cannot create`), v1alpha1.IssueAdmissionRefused, "admission webhook w.example.com refused Secret genericsecret-key (Forbidden); let it take Secrets with the label credence.dev/copy-of"},
		"webhook is down":         {apierrors.NewInternalError(errors.New(`failed calling webhook "w.example.com": failed to call webhook: an error on the server ("not-a-secret")`)), v1alpha1.IssueWriteFailed, "admission webhook w.example.com did not answer for Secret genericsecret-key as it should (InternalError)"},
		"policy":                  {forbidden("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: not-a-secret"), v1alpha1.IssueAdmissionRefused, "ValidatingAdmissionPolicy p refused Secret genericsecret-key (Forbidden); let it take Secrets with the label credence.dev/copy-of"},
		"policy, another reason":  {denied(422, "Invalid", `secrets "genericsecret-key" is forbidden: ValidatingAdmissionPolicy 'p' denied request: no`), v1alpha1.IssueAdmissionRefused, "ValidatingAdmissionPolicy p refused Secret genericsecret-key (Invalid); let it take Secrets with the label credence.dev/copy-of"},
		"plugin":                  {forbidden("minimum not-a-secret"), v1alpha1.IssueAdmissionRefused, "admission refused Secret genericsecret-key (Forbidden); let it take Secrets with the label credence.dev/copy-of"},
		"no rights":               {forbidden(`User "credence" cannot create resource "secrets" in API group ""`), v1alpha1.IssueWriteFailed, "the write of Secret genericsecret-key failed (Forbidden)"},
		"no such name":            {denied(400, "", `admission webhook "not a secret" denied the request`), v1alpha1.IssueWriteFailed, "the write of Secret genericsecret-key failed (code 400)"},
		"connection":              {errors.New("connection refused"), v1alpha1.IssueWriteFailed, "the write of Secret genericsecret-key failed (no answer that says why)"},
		"slow":                    {fmt.Errorf("post: %w", context.DeadlineExceeded), v1alpha1.IssueWriteFailed, "the write of Secret genericsecret-key failed (no answer in time)"},
		// Parts of values, and values in other clothes, are as bad as they are.
		"a part":    {denied(400, "", `invalid: "-secret" is weak`), v1alpha1.IssueWriteFailed, "the write of Secret genericsecret-key failed (code 400)"},
		"in base64": {denied(500, "InternalError", "bm90LWEtc2VjcmV0"), v1alpha1.IssueWriteFailed, "the write of Secret genericsecret-key failed (InternalError)"},
	} {
		t.Run(name, func(t *testing.T) {
			want := Outcome{Reason: test.reason, Message: test.message}
			if diff := cmp.Diff(want, wanted.refused(test.err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
