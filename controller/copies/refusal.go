// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// The words that the API server itself puts before those of others. Whoever comes
// after them can say anything at all, also what it saw of the values, whole or in
// part and in any encoding. So nothing of a message is repeated but a name from
// here, which is one that the API server takes for the object.
var (
	fromWebhook    = regexp.MustCompile(`^admission webhook "([a-z0-9.-]{1,253})" denied the request`)
	fromPolicy     = regexp.MustCompile(`^(?:secrets(?: "[^"]*")? is forbidden: )?ValidatingAdmissionPolicy '([a-z0-9.-]{1,253})'(?: with binding '[a-z0-9.-]{1,253}')? denied request`)
	fromQuota      = regexp.MustCompile(`^secrets(?: "[^"]*")? is forbidden: exceeded quota: ([a-z0-9.-]{1,253}), `)
	fromAuthorizer = regexp.MustCompile(`^secrets(?: "[^"]*")? is forbidden: User "`)
	ofWebhookCall  = regexp.MustCompile(`^Internal error occurred: failed calling webhook "([a-z0-9.-]{1,253})"`)
)

// refused says in an outcome why the API server did not take a write.
func (w Wanted) refused(err error) Outcome {
	message := status(err).Message
	said := func(reason, format string, about ...any) Outcome {
		return Outcome{Reason: reason, Message: fmt.Sprintf(format, about...)}
	}
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) || namespaceGone(err) {
		return said(v1alpha1.IssueNamespaceTerminating, "the namespace is being deleted")
	}
	if quota := nameIn(fromQuota, message); quota != "" {
		// Without the numbers, which change with every try.
		return said(v1alpha1.IssueQuotaExceeded, "quota %s leaves no room for Secret %s; raise it or remove a Secret", quota, w.Name)
	}
	if webhook := nameIn(fromWebhook, message); webhook != "" {
		return said(v1alpha1.IssueAdmissionRefused, "admission webhook %s refused Secret %s (%s); "+exempt, webhook, w.Name, Answer(err))
	}
	if policy := nameIn(fromPolicy, message); policy != "" {
		return said(v1alpha1.IssueAdmissionRefused, "ValidatingAdmissionPolicy %s refused Secret %s (%s); "+exempt, policy, w.Name, Answer(err))
	}
	if webhook := nameIn(ofWebhookCall, message); webhook != "" {
		return said(v1alpha1.IssueWriteFailed, "admission webhook %s did not answer for Secret %s as it should (%s)", webhook, w.Name, Answer(err))
	}
	if apierrors.IsForbidden(err) && !fromAuthorizer.MatchString(message) {
		return said(v1alpha1.IssueAdmissionRefused, "admission refused Secret %s (%s); "+exempt, w.Name, Answer(err))
	}
	return said(v1alpha1.IssueWriteFailed, "the write of Secret %s failed (%s)", w.Name, Answer(err))
}

// exempt is how to mend what admission refuses.
const exempt = "let it take Secrets with the label " + v1alpha1.LabelCopyOf

// nameIn returns the name that an expression finds, if it does.
func nameIn(words *regexp.Regexp, message string) string {
	if found := words.FindStringSubmatch(message); found != nil {
		return found[1]
	}
	return ""
}

// status is what the API server answered, empty if that is not what an error is.
func status(err error) metav1.Status {
	var answered apierrors.APIStatus
	if !errors.As(err, &answered) {
		return metav1.Status{}
	}
	return answered.Status()
}

// namespaceGone says whether a create failed because there is no such namespace.
func namespaceGone(err error) bool {
	details := status(err).Details
	return apierrors.IsNotFound(err) && details != nil && details.Kind == "namespaces"
}

// reasons are those that the API server has for refusing a write. Webhooks choose
// theirs, and could choose any text.
var reasons = []metav1.StatusReason{
	metav1.StatusReasonUnauthorized, metav1.StatusReasonForbidden, metav1.StatusReasonNotFound, metav1.StatusReasonAlreadyExists,
	metav1.StatusReasonConflict, metav1.StatusReasonGone, metav1.StatusReasonInvalid, metav1.StatusReasonServerTimeout,
	metav1.StatusReasonTimeout, metav1.StatusReasonTooManyRequests, metav1.StatusReasonBadRequest, metav1.StatusReasonMethodNotAllowed,
	metav1.StatusReasonRequestEntityTooLarge, metav1.StatusReasonInternalError, metav1.StatusReasonServiceUnavailable,
}

// Answer says how the API server answered, without its words.
func Answer(err error) string {
	is := status(err)
	switch {
	case slices.Contains(reasons, is.Reason):
		return string(is.Reason)
	case is.Code != 0:
		return fmt.Sprintf("code %d", is.Code)
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	}
	return "no answer that says why"
}
