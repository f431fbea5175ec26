// SPDX-License-Identifier: Apache-2.0

package controlplane_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"

	"github.com/credence-dev/credence/e2e/controlplane"
)

// A webhook on the loopback address is called by way of its Service.
func TestServiceLeadsToThisMachine(t *testing.T) {
	const refusal = "refused by the test"
	certificate, key, err := cert.GenerateSelfSignedCertKey("webhook.default.svc", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	webhook := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Result: &metav1.Status{Message: refusal}}
		_ = json.NewEncoder(w).Encode(review)
	}))
	webhook.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	webhook.StartTLS()
	defer webhook.Close()

	c := start(t, controlplane.Options{})
	client := clientset(t, c.Config())
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "webhook"}, Spec: corev1.ServiceSpec{
		// Pods that nobody made: the Service looks like the chart's.
		Selector: map[string]string{"app": "webhook"},
		Ports:    []corev1.ServicePort{{Name: "https", Port: 443}},
	}}
	if _, err := client.CoreV1().Services("default").Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	port := int32(webhook.Listener.Addr().(*net.TCPAddr).Port)
	if err := c.RouteService(t.Context(), "default", "webhook", map[string]int32{"https": port}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(t.Context(), refuseConfigMaps(certificate), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var last error
	eventually(t, "the webhook refuses", func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().ConfigMaps("default").Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "refused-"},
		}, metav1.CreateOptions{})
		last = err
		return err != nil && strings.Contains(err.Error(), refusal), nil
	}, &last)
}

func refuseConfigMaps(caBundle []byte) *admissionregistrationv1.ValidatingWebhookConfiguration {
	none := admissionregistrationv1.SideEffectClassNone
	return &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "test"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "configmaps.example.com",
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				Service:  &admissionregistrationv1.ServiceReference{Namespace: "default", Name: "webhook"},
				CABundle: caBundle,
			},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
			}},
			SideEffects:             &none,
			AdmissionReviewVersions: []string{"v1"},
		}},
	}
}
