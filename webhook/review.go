// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/injector"
	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/injector/pod"
)

// review is the part of an AdmissionReview that we read, with the part of its
// request that an entry needs. The object is decoded in the same pass: most of what
// a mutating webhook costs is decoding, and controller-runtime's handler decodes
// the review twice and the object not at all.
type review[R any] struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Request    *R     `json:"request"`
}

// request is the part of an AdmissionRequest that every entry reads.
type request struct {
	UID         string   `json:"uid"`
	Resource    resource `json:"resource"`
	SubResource string   `json:"subResource"`
	Operation   string   `json:"operation"`
	Namespace   string   `json:"namespace"`

	claim *claim // what it holds of the rooms
}

func (r *request) header() *request { return r }

type resource struct {
	Group    string `json:"group"`
	Resource string `json:"resource"`
}

// what names the resource.
func (r *request) what() string {
	name := r.Resource.Resource
	if r.Resource.Group != "" {
		name += "." + r.Resource.Group
	}
	if r.SubResource != "" {
		name += "/" + r.SubResource
	}
	return name
}

// errNoReview is the answer to a body that is no AdmissionReview.
var errNoReview = errors.New("the body is not an AdmissionReview of admission.k8s.io/v1 with a request")

// objectPointer is where the object stands in a review.
const objectPointer = "/request/object"

// decodeReview reads a review of an object of a kind. A fault of the object alone is
// returned beside the request, so that it can be answered. Names of members are not
// checked for standing twice: the API server writes no such object, and objects
// from elsewhere do not come this way.
func decodeReview[R any, P interface {
	*R
	header() *request
}](body []byte, kind string) (read P, fault *pod.Error, err error) {
	var review review[R]
	err = json.Unmarshal(body, &review, jsontext.AllowDuplicateNames(true))
	if review.Kind != "AdmissionReview" || review.APIVersion != admissionv1.SchemeGroupVersion.String() ||
		review.Request == nil || P(review.Request).header().UID == "" {
		return nil, nil, errNoReview
	}
	if err == nil {
		return review.Request, nil, nil
	}
	if !isAboutObject(err) {
		return nil, nil, fmt.Errorf("the AdmissionReview is malformed: %w", pod.Explain(err))
	}
	return review.Request, pod.Explain(err).NotA(kind), nil
}

// isAboutObject says whether an error is about the object of a review, and makes
// its place one within the object.
func isAboutObject(err error) bool {
	var place *jsontext.Pointer
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic):
		place = &semantic.JSONPointer
	case errors.As(err, &syntactic):
		place = &syntactic.JSONPointer
	default:
		return false
	}
	within, ok := strings.CutPrefix(string(*place), objectPointer)
	*place = jsontext.Pointer(within)
	return ok
}

// response is what is said to one request.
type response struct {
	// operations are the JSON patch.
	operations []jsonpatch.Operation
	// refusal says why not; nil admits.
	refusal *metav1.Status
	// annotation or field is what is at fault, if it is one.
	annotation, field string
	warnings          []string
	// audit has one entry for each credential.
	audit map[string]string
}

// failure makes a Status. Code and reason tell a client whether to try again.
func failure(code int32, reason metav1.StatusReason, message string) *metav1.Status {
	return &metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: code, Reason: reason, Message: message,
	}
}

// malformed refuses what is no object of its kind.
func malformed(err error) response {
	response := response{refusal: failure(http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())}
	var fault *pod.Error
	if errors.As(err, &fault) {
		response.annotation = fault.Annotation
	}
	return response
}

// forbidden refuses a pod that can never be admitted as it is.
func forbidden(refusal *injector.Refusal) response {
	return refuse(http.StatusForbidden, metav1.StatusReasonForbidden, refusal)
}

// tryAgain refuses a pod that may be admitted in a moment. Controllers try again
// after any refusal, each time later; people see the word.
//
// It has no retryAfterSeconds on purpose: with it client-go itself would try again,
// up to ten times, and one pod would hold a worker of a controller that has few of
// them for half a minute. Nor is it a Timeout, after which controllers wait for a
// pod that they believe may have been created.
func tryAgain(refusal *injector.Refusal) response {
	return refuse(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, refusal)
}

func refuse(code int32, reason metav1.StatusReason, refusal *injector.Refusal) response {
	return response{refusal: failure(code, reason, refusal.Error()), annotation: refusal.Annotation}
}

// write writes the response as an AdmissionReview into memory.
func (r *response) write(memory *exchange, uid string) error {
	out := append(memory.answer[:0], `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":`...)
	var err error
	if out, err = jsontext.AppendQuote(out, uid); err != nil {
		return fmt.Errorf("the request's uid: %w", err)
	}
	out = append(out, `,"allowed":`...)
	out = strconv.AppendBool(out, r.refusal == nil)
	if r.refusal != nil {
		if out, err = appendMember(out, "status", r.refusal); err != nil {
			return err
		}
	}
	if len(r.operations) > 0 {
		if memory.patch, err = patch.AppendJSON(memory.patch[:0], r.operations); err != nil {
			return fmt.Errorf("the patch: %w", err)
		}
		out = append(out, `,"patchType":"JSONPatch","patch":"`...)
		out = base64.StdEncoding.AppendEncode(out, memory.patch)
		out = append(out, '"')
	}
	if len(r.warnings) > 0 {
		if out, err = appendMember(out, "warnings", r.warnings); err != nil {
			return err
		}
	}
	if len(r.audit) > 0 {
		if out, err = appendMember(out, "auditAnnotations", r.audit); err != nil {
			return err
		}
	}
	memory.answer = append(out, '}', '}')
	return nil
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
