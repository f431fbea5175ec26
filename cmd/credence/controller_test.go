// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/webhook/deletes"
)

// aDelete is a review that the answer to depends on who uses a credential.
const aDelete = `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u", "operation": "DELETE",
	"name": "openai", "namespace": "team-a", "resource": {"group": "credence.dev", "version": "v1alpha1", "resource": "credentials"}, "oldObject": {}}}`

// TestControllerProcess: a controller is ready when it can decide about deletes. What it
// is asked before, it allows and says so; and it goes on deciding while it stops.
func TestControllerProcess(t *testing.T) {
	c := newCluster(t)
	used := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "openai"}, Spec: v1alpha1.CredentialSpec{
		Type: v1alpha1.Generic, Scope: v1alpha1.Scope{Level: v1alpha1.ScopeProject}, SecretRef: v1alpha1.SecretReference{Name: "key"},
	}}
	web := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "web", Annotations: map[string]string{v1alpha1.AnnotationCredentials: "openai"}}}
	web.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	web.Spec.Template.Labels, web.Spec.Template.Spec.Containers = web.Spec.Selector.MatchLabels, []corev1.Container{{Name: "main", Image: "example.com/web:1"}}
	web.Spec.Template.Annotations = web.Annotations
	if err := c.client.Create(t.Context(), used); err != nil {
		t.Fatal(err)
	}
	if err := c.client.Create(t.Context(), web); err != nil {
		t.Fatal(err)
	}
	w := c.start(t, "controller", "--serving-drain=1h")
	eventually(t, "the process to live", func() bool { return w.check(t, "/healthz") == http.StatusOK })
	if code := w.check(t, "/readyz/certificate"); code != http.StatusInternalServerError {
		t.Errorf("without a certificate the check says %d", code)
	}
	bundle := c.makeCA(t)
	eventually(t, "the certificate", func() bool { return w.check(t, "/readyz/certificate") == http.StatusOK })
	eventually(t, "the listener", func() bool { return w.check(t, "/readyz/serving") == http.StatusOK })
	api := w.client(bundle, nil)
	if code, body, _ := api.send(t, deletes.Path, aDelete); code != http.StatusOK || !strings.Contains(body, `"allowed":true`) || !strings.Contains(body, "is not known yet") {
		t.Errorf("before the caches are complete: %d %s", code, body)
	}
	if code := w.check(t, "/readyz"); code != http.StatusInternalServerError {
		t.Errorf("before the caches are complete it is ready: %d", code)
	}
	c.release()
	eventually(t, "the process to be ready", func() bool { return w.check(t, "/readyz") == http.StatusOK })
	const refusal = `credential \"openai\" is used by 1 workload: Deployment team-a/web; detach it there first`
	if code, body, closes := api.send(t, deletes.Path, aDelete); code != http.StatusOK || !strings.Contains(body, refusal) || closes {
		t.Errorf("once it is ready: %d %s, closes the connection: %t", code, body, closes)
	}
	w.signal(t, syscall.SIGTERM)
	eventually(t, "the process not to be ready", func() bool { return w.check(t, "/readyz") == http.StatusInternalServerError })
	for range 3 {
		if code, body, closes := api.send(t, deletes.Path, aDelete); code != http.StatusOK || !strings.Contains(body, refusal) || !closes {
			t.Errorf("while it stops: %d %s, closes the connection: %t", code, body, closes)
		}
	}
}
