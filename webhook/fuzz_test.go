// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	webhookrequest "k8s.io/apiserver/pkg/admission/plugin/webhook/request"
	kjson "sigs.k8s.io/json"
)

// FuzzHandler posts anything. Whatever comes, it is answered: with an HTTP error,
// or with a review that the API server takes, whose patch applies to the object as
// the API server applies it.
func FuzzHandler(f *testing.F) {
	for _, body := range []string{
		``, `null`, `{`, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u"}}`,
		string(reviewOf("team-a", []byte(naming("openai", "hub")))),
		string(reviewOf("elsewhere", []byte(naming("openai")))),
		string(reviewOf("team-a", []byte(`null`))),
		string(reviewOf("team-a", []byte(`{"spec":{"containers":[null]}}`))),
		string(reviewOf("team-a", []byte(`{"metadata":null,"spec":{"containers":[{"name":"a","env":null}],"volumes":[]}}`))),
		string(reviewOf("team-a", []byte(podWith(map[string]string{
			"env.credence.dev/A": "openai/KEY_OF_OPENAI;containers=web", "mount.credence.dev/b": "openai:/b;mode=0440;keys=KEY_OF_OPENAI=c",
			"credence.dev/env": "B=openai/KEY_OF_OPENAI\n", "credence.dev/containers": "web",
		})))),
		string(ownReview("team-a", "", text(annotated(generic("team-a", "openai", ""), map[string]string{"credence.dev/created-by": "x"})))),
		string(ownReview("team-a", text(generic("team-a", "own", "")), text(shown(generic("team-a", "own", ""), "hub")))),
		string(ownReview("team-a", `{}`, `{"metadata":null,"spec":[]}`)),
	} {
		f.Add([]byte(body))
	}
	fixture := newFixture(f)
	fixture.know(namespace(systemNamespace, nil), namespace("elsewhere", nil), project("team-a", "research"),
		generic("team-a", "openai", ""), registry("hub", "registry.example.com"))
	handlers := fixture.handlers
	f.Fuzz(func(t *testing.T, body []byte) {
		for path, handler := range handlers {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			check(t, body, w)
		}
	})
}

func check(t *testing.T, body []byte, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code != http.StatusOK {
		status := struct{ Message string }{}
		if err := json.Unmarshal(w.Body.Bytes(), &status); err != nil || status.Message == "" || strings.Contains(status.Message, "\n") || w.Code == http.StatusInternalServerError {
			t.Errorf("%d %q", w.Code, w.Body)
		}
		return
	}
	var asked, said admissionv1.AdmissionReview
	if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil {
		t.Fatalf("answer %q: %v", w.Body, err)
	}
	// The rest is about reviews that an API server could have written.
	if !jsontext.Value(body).IsValid() || kjson.UnmarshalCaseSensitivePreserveInts(body, &asked) != nil || asked.Request == nil {
		return
	}
	verified, err := webhookrequest.VerifyAdmissionResponse(asked.Request.UID, true, &said)
	if err != nil {
		t.Fatalf("answer %q: %v", w.Body, err)
	}
	if len(verified.Patch) == 0 {
		return
	}
	patch, err := jsonpatch.DecodePatch(verified.Patch)
	if err != nil {
		t.Fatalf("patch %q: %v", verified.Patch, err)
	}
	if _, err := patch.Apply(asked.Request.Object.Raw); err != nil {
		t.Errorf("patch %q: %v", verified.Patch, err)
	}
}
