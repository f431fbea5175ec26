// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/injector/patch"
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

// Request is the part of an AdmissionRequest that every entry reads.
type Request struct {
	UID         string   `json:"uid"`
	Resource    Resource `json:"resource"`
	SubResource string   `json:"subResource"`
	Operation   string   `json:"operation"`
	Namespace   string   `json:"namespace"`

	claim *claim // what it holds of the rooms
}

// Header makes what embeds a Request an Inquiry's.
func (r *Request) Header() *Request { return r }

// Park has the request wait where it keeps no other from being decided, and says
// whether there is room. It may be called again. If many wait already, the request
// is to be answered at once: trying again costs a client more than it costs us
// memory.
func (r *Request) Park() bool { return r.claim.park(r.Namespace) }

// Resource is a resource of the API.
type Resource struct {
	Group    string `json:"group"`
	Resource string `json:"resource"`
}

// What names the resource.
func (r *Request) What() string {
	name := r.Resource.Resource
	if r.Resource.Group != "" {
		name += "." + r.Resource.Group
	}
	if r.SubResource != "" {
		name += "/" + r.SubResource
	}
	return name
}

// ErrNoReview is the answer to a body that is no AdmissionReview.
var ErrNoReview = errors.New("the body is not an AdmissionReview of admission.k8s.io/v1 with a request")

// objectPointer is where the object stands in a review.
const objectPointer = "/request/object"

// Decode reads a review with an object. A fault of the object alone is returned
// beside the request, so that it can be answered, with its place within the object.
// Other errors are ErrNoReview and what is wrong with the review. All but ErrNoReview
// come from the decoder and may quote what was sent. Names of members are not checked
// for standing twice: the API server writes no such object, and objects from
// elsewhere do not come this way.
func Decode[R any, P interface {
	*R
	Header() *Request
}](body []byte) (read P, fault, err error) {
	var review review[R]
	err = json.Unmarshal(body, &review, jsontext.AllowDuplicateNames(true))
	if review.Kind != "AdmissionReview" || review.APIVersion != admissionv1.SchemeGroupVersion.String() ||
		review.Request == nil || P(review.Request).Header().UID == "" {
		return nil, nil, ErrNoReview
	}
	if err != nil && !isAboutObject(err) {
		return nil, nil, err
	}
	return review.Request, err, nil
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

// Response is what is said to one request.
type Response struct {
	// Operations are the JSON patch.
	Operations []jsonpatch.Operation
	// Refusal says why not; nil admits.
	Refusal *metav1.Status
	// Annotation or Field is what is at fault, if it is one.
	Annotation, Field string
	Warnings          []string
	// Audit are the annotations of the audit event.
	Audit map[string]string
	// Logged is what the log says of what was injected, in pairs of key and value.
	Logged []any
}

// Failure makes a Status. Code and reason tell a client whether to try again.
func Failure(code int32, reason metav1.StatusReason, message string) *metav1.Status {
	return &metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: code, Reason: reason, Message: message,
	}
}

// write writes the response as an AdmissionReview into memory.
func (r *Response) write(memory *exchange, uid string) error {
	out := append(memory.answer[:0], `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":`...)
	var err error
	if out, err = jsontext.AppendQuote(out, uid); err != nil {
		return fmt.Errorf("the request's uid: %w", err)
	}
	out = append(out, `,"allowed":`...)
	out = strconv.AppendBool(out, r.Refusal == nil)
	if r.Refusal != nil {
		if out, err = appendMember(out, "status", r.Refusal); err != nil {
			return err
		}
	}
	if len(r.Operations) > 0 {
		if memory.patch, err = patch.AppendJSON(memory.patch[:0], r.Operations); err != nil {
			return fmt.Errorf("the patch: %w", err)
		}
		out = append(out, `,"patchType":"JSONPatch","patch":"`...)
		out = base64.StdEncoding.AppendEncode(out, memory.patch)
		out = append(out, '"')
	}
	if len(r.Warnings) > 0 {
		if out, err = appendMember(out, "warnings", r.Warnings); err != nil {
			return err
		}
	}
	if len(r.Audit) > 0 {
		if out, err = appendMember(out, "auditAnnotations", r.Audit); err != nil {
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
