// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/credence-dev/credence/webhook"
)

const limit = 7 << 20 // bytes of a review

const noReview = "the body is not an AdmissionReview of admission.k8s.io/v1 with a request"

// What is no review is answered by HTTP status, which the API server takes for a
// webhook that failed.
func TestNoReview(t *testing.T) {
	cases := map[string]struct {
		method, contentType, body string
		code                      int
		message                   string
	}{
		"another method":           {"GET", "application/json", "", 405, "only POST is served here"},
		"no content type":          {"POST", "", `{}`, 415, "the content type must be application/json"},
		"another content type":     {"POST", "application/yaml", `{}`, 415, "the content type must be application/json"},
		"a broken content type":    {"POST", "application/json; charset", `{}`, 415, "the content type must be application/json"},
		"nothing":                  {"POST", "application/json", ``, 400, noReview},
		"no JSON":                  {"POST", "application/json", `apiVersion: v1`, 400, noReview},
		"null":                     {"POST", "application/json", `null`, 400, noReview},
		"an array":                 {"POST", "application/json", `[]`, 400, noReview},
		"no kind":                  {"POST", "application/json", `{"apiVersion":"admission.k8s.io/v1","request":{"uid":"u"}}`, 400, noReview},
		"another kind":             {"POST", "application/json", `{"kind":"Pod","apiVersion":"v1"}`, 400, noReview},
		"v1beta1":                  {"POST", "application/json", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"u"}}`, 400, noReview},
		"no request":               {"POST", "application/json", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}`, 400, noReview},
		"a null request":           {"POST", "application/json", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":null}`, 400, noReview},
		"a response":               {"POST", "application/json", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"u","allowed":true}}`, 400, noReview},
		"no uid":                   {"POST", "application/json", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"operation":"CREATE"}}`, 400, noReview},
		"a uid that is a number":   {"POST", "application/json", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":1}}`, 400, noReview},
		"a uid that is no Unicode": {"POST", "application/json", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"` + "\xff" + `"}}`, 400, noReview},
		"names in another case":    {"POST", "application/json", `{"Kind":"AdmissionReview","APIVersion":"admission.k8s.io/v1","Request":{"UID":"u"}}`, 400, noReview},
		"a namespace that is a number": {"POST", "application/json", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","namespace":5}}`,
			400, "the AdmissionReview is malformed: /request/namespace must be a string, not a JSON number"},
		"it breaks off": {"POST", "application/json", `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","userInfo":{`,
			400, "the AdmissionReview is malformed: malformed JSON at byte 94"},
		"something follows": {"POST", "application/json", string(reviewOf("team-a", []byte(podWith(nil)))) + `{}`,
			400, "the AdmissionReview is malformed: malformed JSON at byte %d"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			r := httptest.NewRequestWithContext(t.Context(), test.method, webhook.PathAnnotated, strings.NewReader(test.body))
			if test.contentType != "" {
				r.Header.Set("Content-Type", test.contentType)
			}
			answer := f.do(r)
			want := strings.ReplaceAll(test.message, "%d", fmt.Sprint(len(test.body)-2))
			if answer.code != test.code || answer.message() != want {
				t.Errorf("answer: %d %q, want %d %q", answer.code, answer.message(), test.code, want)
			}
			if diff := cmp.Diff(map[string]float64{"credence_admission_decisions_total{inject,error}": 1}, f.counters()); diff != "" {
				t.Errorf("counters (-want +got):\n%s", diff)
			}
		})
	}
}

// A content type may have parameters.
func TestContentTypeWithParameters(t *testing.T) {
	f := newFixture(t)
	f.know(project("team-a", ""))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, webhook.PathAnnotated, bytes.NewReader(reviewOf("team-a", []byte(podWith(nil)))))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	if answer := f.do(r); answer.response == nil || !answer.response.Allowed {
		t.Errorf("answer: %d %s", answer.code, answer.body)
	}
}

// A pod that is malformed is refused under the UID of its review, with the place
// in the pod.
func TestMalformedPod(t *testing.T) {
	cases := map[string]struct{ pod, message string }{
		"null":                    {`null`, "not a pod: the review has no object"},
		"a string":                {`"pod"`, "not a pod: it must be an object, not a JSON string"},
		"an array":                {`[]`, "not a pod: it must be an object, not a JSON array"},
		"empty":                   {`{}`, "not a pod: it has no spec"},
		"another kind":            {`{"apiVersion":"v1","kind":"ConfigMap","data":{}}`, "not a pod: it has no spec"},
		"a null spec":             {`{"spec":null}`, "not a pod: it has no spec"},
		"a null container":        {`{"spec":{"containers":[{"name":"a"},null]}}`, "not a pod: /spec/containers/1 is null"},
		"a null init container":   {`{"spec":{"containers":[],"initContainers":[null]}}`, "not a pod: /spec/initContainers/0 is null"},
		"containers as an object": {`{"spec":{"containers":{}}}`, "not a pod: /spec/containers must be a list, not a JSON object"},
		"annotations as an array": {`{"metadata":{"annotations":[]},"spec":{}}`, "not a pod: /metadata/annotations must be an object, not a JSON array"},
		"an annotation's value":   {`{"metadata":{"annotations":{"a":1}},"spec":{}}`, "annotation a: the value must be a string, not a JSON number; put it in quotes"},
		"a huge number":           {`{"spec":{"securityContext":{"runAsUser":1e999}}}`, "not a pod: /spec/securityContext/runAsUser must be an integer in range"},
		"deep nesting":            {`{"spec":` + strings.Repeat(`{"a":`, 20_000) + `1` + strings.Repeat(`}`, 20_000) + `}`, "not a pod: malformed JSON at byte"},
		"no Unicode":              {"{\"spec\":{\"containers\":[{\"name\":\"\xff\"}]}}", "not a pod: malformed JSON at byte"},
		"half a surrogate":        {`{"spec":{"containers":[{"name":"\ud800"}]}}`, "not a pod: malformed JSON at byte"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.know(project("team-a", ""))
			body := bytes.Replace(reviewOf("team-a", []byte(`"HERE"`)), []byte(`"HERE"`), []byte(test.pod), 1)
			answer := f.post(t.Context(), webhook.PathAnnotated, body)
			if answer.response == nil || answer.response.Allowed || answer.response.Result.Code != http.StatusBadRequest {
				t.Fatalf("answer: %d %s", answer.code, answer.body)
			}
			message := answer.message()
			if strings.HasSuffix(test.message, "at byte") {
				message = message[:min(len(message), len(test.message))]
			}
			if message != test.message {
				t.Errorf("message %q, want %q", answer.message(), test.message)
			}
		})
	}
}

// What no API server sends is refused at once: nothing is read for it, and nobody is
// told to try again.
func TestNoNamespace(t *testing.T) {
	for namespace, want := range map[string]string{
		"":          "not a pod: the review has no namespace",
		"../team-a": "annotation credence.dev/credentials: namespace ../team-a is not a project; label it credence.dev/project=<name>",
		"team-a\n":  `annotation credence.dev/credentials: namespace "team-a\n" is not a project; label it credence.dev/project=<name>`,
	} {
		t.Run(namespace, func(t *testing.T) {
			f := newFixture(t)
			f.know(project("team-a", ""), generic("team-a", "openai", ""))
			answer := f.admit(namespace, naming("openai"))
			if answer.response == nil || answer.response.Allowed || answer.message() != want {
				t.Errorf("answer: %d %s", answer.code, answer.body)
			}
			if reads := f.cluster.asked(); len(reads) > 0 {
				t.Errorf("live reads: %q", reads)
			}
		})
	}
}

// Odd pods that are pods all the same.
func TestOddPods(t *testing.T) {
	many := map[string]string{"credence.dev/credentials": "openai"}
	for i := range 2000 {
		many[fmt.Sprintf("example.com/a%d", i)] = "x"
	}
	cases := map[string]struct {
		pod     string
		patched bool
	}{
		"no containers":           {`{"spec":{"containers":null}}`, false},
		"no metadata":             {`{"spec":{"containers":[{"name":"a"}]}}`, false},
		"very many annotations":   {podWith(many), true},
		"many, and none of ours":  {strings.Replace(podWith(many), "credence.dev/credentials", "example.org/credentials", 1), false},
		"fields of later times":   {`{"metadata":{"annotations":{"credence.dev/credentials":"openai"}},"spec":{"future":{"a":[1,{}]},"containers":[{"name":"a","future":1.5}]}}`, true},
		"no annotations":          {`{"metadata":{"annotations":null},"spec":{"containers":[]}}`, false},
		"an empty one, annotated": {`{"metadata":{"annotations":{"credence.dev/credentials":"openai"}},"spec":{}}`, false},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.know(project("team-a", ""), generic("team-a", "openai", ""))
			answer := f.admit("team-a", test.pod)
			if answer.response == nil || !answer.response.Allowed || (len(answer.response.Patch) > 0) != test.patched {
				t.Errorf("answer: %d %s", answer.code, answer.body)
			}
		})
	}
}

// Failure mode 15: pods are changed at CREATE only. Whatever else a configuration
// that is not ours sends must go through, or nobody could remove a finalizer.
func TestOtherRequests(t *testing.T) {
	cases := map[string]struct {
		change func(*admissionv1.AdmissionRequest)
		what   string
	}{
		"an update": {func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Update; r.OldObject = r.Object }, `UPDATE of "pods"`},
		"a delete": {func(r *admissionv1.AdmissionRequest) {
			r.Operation = admissionv1.Delete
			r.Object = runtime.RawExtension{}
		}, `DELETE of "pods"`},
		"an exec":   {func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Connect; r.SubResource = "exec" }, `CONNECT of "pods/exec"`},
		"a binding": {func(r *admissionv1.AdmissionRequest) { r.SubResource = "binding" }, `CREATE of "pods/binding"`},
		"ephemeral containers": {func(r *admissionv1.AdmissionRequest) {
			r.Operation, r.SubResource = admissionv1.Update, "ephemeralcontainers"
		}, `UPDATE of "pods/ephemeralcontainers"`},
		"another resource": {func(r *admissionv1.AdmissionRequest) { r.Resource.Resource = "services" }, `CREATE of "services"`},
		"another group": {func(r *admissionv1.AdmissionRequest) {
			r.Resource.Group, r.Resource.Version = "apps", "v1"
			r.Resource.Resource = "deployments"
		}, `CREATE of "deployments.apps"`},
		"an update of a bad pod": {func(r *admissionv1.AdmissionRequest) {
			r.Operation = admissionv1.Update
			r.Object.Raw = []byte(`{"spec":[]}`)
		}, `UPDATE of "pods"`},
		"no operation": {func(r *admissionv1.AdmissionRequest) { r.Operation = "" }, ` of "pods"`},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.know(project("team-a", ""), generic("team-a", "openai", ""))
			review := review("team-a", []byte(naming("openai")))
			test.change(review.Request)
			answer := f.post(t.Context(), webhook.PathAnnotated, marshal(review))
			if answer.response == nil || !answer.response.Allowed || len(answer.response.Patch) > 0 {
				t.Fatalf("answer: %d %s", answer.code, answer.body)
			}
			want := []string{"credence is asked about " + test.what + ", but injects only at CREATE of pods; correct the webhook configuration"}
			if diff := cmp.Diff(want, answer.response.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(map[string]float64{"credence_admission_decisions_total{inject,error}": 1}, f.counters()); diff != "" {
				t.Errorf("counters (-want +got):\n%s", diff)
			}
		})
	}
}

// Failure mode 24: a review up to the limit is decided, and a larger one gets a
// clear answer, said beforehand or not.
func TestBodyLimit(t *testing.T) {
	sized := func(size int) []byte {
		body := reviewOf("team-a", []byte(naming("openai")))
		padding := bytes.Repeat([]byte(" "), size-len(body))
		return append(body, padding...)
	}
	for name, test := range map[string]struct {
		size, code int
	}{
		"larger than most": {1 << 20, http.StatusOK},
		"at the limit":     {limit, http.StatusOK},
		"a byte over it":   {limit + 1, http.StatusRequestEntityTooLarge},
		"far over it":      {2 * limit, http.StatusRequestEntityTooLarge},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, chunked %v", name, chunked), func(t *testing.T) {
				f := newFixture(t)
				f.know(project("team-a", ""), generic("team-a", "openai", ""))
				server := httptest.NewServer(f.handlers[webhook.PathAnnotated])
				defer server.Close()
				var body io.Reader = bytes.NewReader(sized(test.size))
				if chunked {
					body = io.MultiReader(body) // of unknown length
				}
				response, err := http.Post(server.URL, "application/json", body)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				text, err := io.ReadAll(response.Body)
				if err != nil {
					t.Fatal(err)
				}
				answer := read(t, response.StatusCode, string(text))
				if answer.code != test.code {
					t.Fatalf("answer: %d %s", answer.code, answer.body)
				}
				if want := "the AdmissionReview is larger than 7340032 bytes"; test.code != http.StatusOK && answer.message() != want {
					t.Errorf("message %q, want %q", answer.message(), want)
				}
			})
		}
	}
}

// What a refusal repeats is cut: a pod is not validated before it comes here.
func TestLongRefusal(t *testing.T) {
	f := newFixture(t)
	f.know(project("team-a", ""))
	long := strings.Repeat("ä\n", 1<<20)
	for _, annotations := range []map[string]string{{"env.credence.dev/A": long}, {"credence.dev/" + long: "x"}} {
		answer := f.admit("team-a", podWith(annotations))
		if answer.response == nil || answer.response.Allowed || len(answer.message()) > 2000 || strings.Contains(answer.message(), "\n") {
			t.Errorf("answer of %d bytes", len(answer.body))
		}
	}
	if size := len(f.log.String()); size > 2000 {
		t.Errorf("log of %d bytes", size)
	}
}
