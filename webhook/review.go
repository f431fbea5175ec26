// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/injector"
)

// review is the part of an AdmissionReview that we read. The pod is decoded in
// the same pass: most of what a mutating webhook costs is decoding, and
// controller-runtime's handler decodes the review twice and the pod not at all.
type review struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Request    *request `json:"request"`
}

// request is the part of an AdmissionRequest that we read.
type request struct {
	UID         string        `json:"uid"`
	Resource    resource      `json:"resource"`
	SubResource string        `json:"subResource"`
	Operation   string        `json:"operation"`
	Namespace   string        `json:"namespace"`
	Object      *injector.Pod `json:"object"`
}

type resource struct {
	Group    string `json:"group"`
	Resource string `json:"resource"`
}

// isPodCreation says whether the request is what our entries are for. Anything
// else comes from a configuration that is not ours.
func (r *request) isPodCreation() bool {
	return r.Resource == resource{Resource: "pods"} && r.SubResource == "" && r.Operation == string(admissionv1.Create)
}

// errNoReview is the answer to a body that is no AdmissionReview.
var errNoReview = errors.New("the body is not an AdmissionReview of admission.k8s.io/v1")

// decodeReview reads a review. If the error is about the object alone, the request
// is returned with it, so that it can be answered by name. Names of members are
// not checked for standing twice: the API server writes no such object, and
// objects from elsewhere do not come this way.
func decodeReview(body []byte) (*request, error) {
	var review review
	err := json.Unmarshal(body, &review, jsontext.AllowDuplicateNames(true))
	if review.Kind != "AdmissionReview" || review.APIVersion != admissionv1.SchemeGroupVersion.String() ||
		review.Request == nil || review.Request.UID == "" {
		return nil, errNoReview
	}
	if err != nil {
		return review.Request, fmt.Errorf("not a pod: %w", injector.DecodeError(err))
	}
	return review.Request, nil
}

// response is what is said to one request.
type response struct {
	// patch is the JSON patch, empty for none.
	patch []byte
	// refusal says why not; nil admits.
	refusal  *metav1.Status
	warnings []string
	// audit has one entry for each credential.
	audit map[string]string
}

// refused makes a response. Code and reason tell a client whether to try again.
func refused(code int32, reason metav1.StatusReason, message string) response {
	return response{refusal: &metav1.Status{
		Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message,
	}}
}

func invalid(message string) response {
	return refused(http.StatusForbidden, metav1.StatusReasonForbidden, message)
}

func tryAgain(message string) response {
	return refused(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, message)
}

// append writes the response as an AdmissionReview.
func (r *response) append(out []byte, uid string) ([]byte, error) {
	out = append(out, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":`...)
	var err error
	if out, err = jsontext.AppendQuote(out, uid); err != nil {
		return nil, fmt.Errorf("the request's uid: %w", err)
	}
	out = append(out, `,"allowed":`...)
	if r.refusal == nil {
		out = append(out, `true`...)
	} else {
		out = append(out, `false`...)
		if out, err = appendMember(out, "status", r.refusal); err != nil {
			return nil, err
		}
	}
	if len(r.patch) > 0 {
		out = append(out, `,"patchType":"JSONPatch","patch":"`...)
		out = base64.StdEncoding.AppendEncode(out, r.patch)
		out = append(out, '"')
	}
	if len(r.warnings) > 0 {
		if out, err = appendMember(out, "warnings", r.warnings); err != nil {
			return nil, err
		}
	}
	if len(r.audit) > 0 {
		if out, err = appendMember(out, "auditAnnotations", r.audit); err != nil {
			return nil, err
		}
	}
	return append(out, '}', '}'), nil
}

func appendMember(out []byte, name string, value any) ([]byte, error) {
	text, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("%s of the response: %w", name, err)
	}
	out = append(out, ',', '"')
	out = append(out, name...)
	out = append(out, '"', ':')
	return append(out, text...), nil
}
