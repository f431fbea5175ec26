// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"errors"
	"fmt"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/injector"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/webhook/admission"
)

// decode reads a review of an object of a kind, and says what is wrong with it
// without its values. A fault of the object alone is returned beside the request, so
// that it can be answered.
func decode[R any, P interface {
	*R
	Header() *admission.Request
}](review []byte, kind string) (read P, fault *pod.Error, err error) {
	read, wrong, err := admission.Decode[R, P](review)
	switch {
	case errors.Is(err, admission.ErrNoReview):
		return nil, nil, err
	case err != nil:
		return nil, nil, fmt.Errorf("the AdmissionReview is malformed: %w", pod.Explain(err))
	case wrong != nil:
		return read, pod.Explain(wrong).NotA(kind), nil
	}
	return read, nil, nil
}

// malformed refuses what is no object of its kind.
func malformed(err error) admission.Response {
	response := admission.Response{Refusal: admission.Failure(http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())}
	var fault *pod.Error
	if errors.As(err, &fault) {
		response.Annotation = fault.Annotation
	}
	return response
}

// forbidden refuses a pod that can never be admitted as it is.
func forbidden(refusal *injector.Refusal) admission.Response {
	return refuse(http.StatusForbidden, metav1.StatusReasonForbidden, refusal)
}

// tryAgain refuses a pod that may be admitted in a moment. Controllers try again
// after any refusal, each time later; people see the word.
//
// It has no retryAfterSeconds on purpose: with it client-go itself would try again,
// up to ten times, and one pod would hold a worker of a controller that has few of
// them for half a minute. Nor is it a Timeout, after which controllers wait for a
// pod that they believe may have been created.
func tryAgain(refusal *injector.Refusal) admission.Response {
	return refuse(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, refusal)
}

func refuse(code int32, reason metav1.StatusReason, refusal *injector.Refusal) admission.Response {
	return admission.Response{Refusal: admission.Failure(code, reason, refusal.Error()), Annotation: refusal.Annotation}
}
