// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// startReplay serves a webhook for the pods of replaySpace that answers every review
// with what Credence answered to the first. It returns how often it was asked.
func startReplay(b *testing.B, c client.Client) (asked func() int64) {
	b.Helper()
	var (
		once  sync.Once
		patch []byte
		count atomic.Int64
	)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		once.Do(func() { patch = askCredence(b, body) })
		count.Add(1)
		// Only the uid is read, without decoding: doing nothing must cost nothing.
		_, rest, _ := bytes.Cut(body, []byte(`"uid":"`))
		uid, _, _ := bytes.Cut(rest, []byte(`"`))
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"`+string(uid)+
			`","allowed":true,"patchType":"JSONPatch","patch":`+string(patch)+`}}`)
	}))
	server.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
	server.StartTLS()
	b.Cleanup(server.Close)
	url := server.URL + "/"
	fail, none, equivalent := admissionregistrationv1.Fail, admissionregistrationv1.SideEffectClassNone, admissionregistrationv1.Equivalent
	create := admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
	}
	err := c.Create(b.Context(), &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "replay"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "replay.example.com",
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL:      &url,
				CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			Rules: []admissionregistrationv1.RuleWithOperations{create}, FailurePolicy: &fail, SideEffects: &none, MatchPolicy: &equivalent,
			AdmissionReviewVersions: []string{"v1"},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: replaySpace}},
		}},
	})
	if err != nil {
		b.Fatal(err)
	}
	return count.Load
}

// askCredence sends a review to the webhook of the shared cluster, as if from a
// namespace where the credentials are, and returns the patch as it stands in the
// answer: a JSON string.
func askCredence(b *testing.B, review []byte) []byte {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := cluster.Client().Get(b.Context(), client.ObjectKey{Name: "credence"}, configuration); err != nil {
		b.Error(err)
		return nil
	}
	entry := configuration.Webhooks[0].ClientConfig
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(entry.CABundle)
	credence := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	body := strings.ReplaceAll(string(review), replaySpace, creationSpace)
	response, err := credence.Post(*entry.URL, "application/json", strings.NewReader(body))
	if err != nil {
		b.Error(err)
		return nil
	}
	defer response.Body.Close()
	answer := &admissionv1.AdmissionReview{}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil || answer.Response == nil || len(answer.Response.Patch) == 0 {
		b.Errorf("Credence sent no patch to replay: %v %v", err, answer.Response)
		return nil
	}
	patch, err := json.Marshal(answer.Response.Patch)
	if err != nil {
		b.Error(err)
	}
	return patch
}
