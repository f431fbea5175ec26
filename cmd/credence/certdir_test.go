// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/certs"
	"github.com/credence-dev/credence/webhook"
)

// writeCertificate writes a certificate for localhost that is signed by itself, with its
// key, into a folder, as ca.crt too, which it returns.
func writeCertificate(t *testing.T, dir string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, content := range map[string][]byte{
		corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), corev1.TLSCertKey: certificate, "ca.crt": certificate,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate
}

// TestCertDir: a process that serves with certificates of somebody else's is not ready
// before there is one, takes up another, and never asks for the CA that the controller
// would make.
func TestCertDir(t *testing.T) {
	c, dir := newCluster(t), t.TempDir()
	c.release()
	w := c.startWebhook(t, "--cert-dir="+dir)
	eventually(t, "the process to live", func() bool { return w.check(t, "/healthz") == http.StatusOK })
	eventually(t, "the caches", func() bool { return w.check(t, "/readyz/caches") == http.StatusOK })
	c.makeCA(t)
	for _, check := range []string{"/readyz", "/readyz/certificate"} {
		if code := w.check(t, check); code != http.StatusInternalServerError {
			t.Errorf("without a certificate, %s says %d", check, code)
		}
	}
	for range 2 {
		bundle := writeCertificate(t, dir)
		eventually(t, "the process to serve with it", func() bool {
			response, err := w.client(bundle, nil).Post("https://"+w.address+webhook.PathAnnotated, "application/json", strings.NewReader(aReview))
			if err != nil {
				return false
			}
			return response.Body.Close() == nil && response.StatusCode == http.StatusOK
		})
		eventually(t, "the process to be ready", func() bool { return w.check(t, "/readyz") == http.StatusOK })
	}
}

// TestCAFiles: the controller publishes the CAs in files, also those of later, and makes
// none. Without files it leaves publishing to others.
func TestCAFiles(t *testing.T) {
	c, dir := newCluster(t), t.TempDir()
	c.release()
	first := writeCertificate(t, dir)
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: certs.ConfigurationName}}
	none := admissionregistrationv1.SideEffectClassNone
	configuration.Webhooks = []admissionregistrationv1.MutatingWebhook{{
		Name: "a.credence.dev", SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
		ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: new("https://localhost:1")},
	}}
	if err := c.client.Create(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	published := func(bundle []byte) func() bool {
		return func() bool {
			if err := c.client.Get(t.Context(), client.ObjectKeyFromObject(configuration), configuration); err != nil {
				t.Fatal(err)
			}
			return bytes.Equal(configuration.Webhooks[0].ClientConfig.CABundle, bundle)
		}
	}
	silent := c.start(t, "controller", "--cert-dir="+dir, "--serving-drain=0s")
	eventually(t, "the controller to be ready", func() bool { return silent.check(t, "/readyz") == http.StatusOK })
	eventually(t, "it to lead", func() bool { return strings.Contains(silent.log.String(), "Starting workers") })
	// So that it gives up the Lease.
	if err := errors.Join(silent.command.Process.Signal(syscall.SIGTERM), <-silent.ended); err != nil {
		t.Errorf("it ends with %v", err)
	}
	if !published(nil)() {
		t.Error("a CA is published that somebody else is to publish")
	}
	w := c.start(t, "controller", "--cert-dir="+dir, "--ca-files="+filepath.Join(dir, "ca.crt"))
	eventually(t, "the CA to be published", published(first))
	second := writeCertificate(t, dir)
	eventually(t, "the next CA to be published", published(second))
	eventually(t, "the controller to be ready", func() bool { return w.check(t, "/readyz") == http.StatusOK })
	err := c.client.Get(t.Context(), client.ObjectKey{Namespace: "credence", Name: webhookCASecret}, &corev1.Secret{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("the controller has made a CA: %v", err)
	}
}

// TestCAFilesAlone: who makes the certificates also says which CA is trusted.
func TestCAFilesAlone(t *testing.T) {
	c := newCluster(t)
	w := c.start(t, "controller", "--ca-files=absent")
	select {
	case err := <-w.ended:
		if err == nil || !strings.Contains(w.log.String(), "--cert-dir") {
			t.Errorf("it ends with %v and says %s", err, w.log.String())
		}
	case <-time.After(patience):
		t.Error("it does not end")
	}
}
