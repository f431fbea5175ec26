// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// maxMessage bounds what a status quotes of an API server's message, in bytes.
const maxMessage = 400

// minSecretLength is the length below which a value is not looked for in
// messages: it would be found in every one, by chance.
const minSecretLength = 4

// refused says in an outcome why the API server did not take a write.
func (w Wanted) refused(err error) Outcome {
	message := err.Error()
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), namespaceGone(err):
		return Outcome{Reason: v1alpha1.IssueNamespaceTerminating, Message: "the namespace is being deleted"}
	case apierrors.IsForbidden(err) && strings.Contains(message, "exceeded quota: "):
		// Without the numbers, which change with every try.
		return Outcome{Reason: v1alpha1.IssueQuotaExceeded,
			Message: fmt.Sprintf("the namespace's quota leaves no room for Secret %s; raise it or remove a Secret", w.Name)}
	case deniedByAdmission(err):
		return Outcome{Reason: v1alpha1.IssueAdmissionRefused, Message: w.quote(err)}
	}
	return Outcome{Reason: v1alpha1.IssueWriteFailed, Message: w.quote(err)}
}

// namespaceGone says whether a create failed because there is no such namespace.
func namespaceGone(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details != nil && details.Kind == "namespaces"
}

// deniedByAdmission knows webhooks and policies by their words, because they
// choose the code and reason of the answer themselves, and compiled-in plugins by
// a Forbidden that is not the authorizer's.
func deniedByAdmission(err error) bool {
	message := err.Error()
	if strings.Contains(message, " denied the request") || strings.Contains(message, " denied request") {
		return true
	}
	return apierrors.IsForbidden(err) && !strings.Contains(message, " cannot ")
}

// quote returns the message of an error for a status. Admission can say anything
// at all about what it saw, so a message with one of the values in it is dropped.
func (w Wanted) quote(err error) string {
	message := err.Error()
	for _, value := range w.values {
		if len(value) < minSecretLength {
			continue
		}
		if strings.Contains(message, string(value)) || strings.Contains(message, base64.StdEncoding.EncodeToString(value)) {
			return fmt.Sprintf("the API server refused Secret %s (%s)", w.Name, apierrors.ReasonForError(err))
		}
	}
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + "…"
	}
	return message
}
