// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientset "k8s.io/client-go/kubernetes/fake"
	clocktesting "k8s.io/utils/clock/testing"
)

// vault-k8s#354, gatekeeper#581: ready before there was a certificate.
func TestSelfManagedIsReadyOnceThereIsACertificate(t *testing.T) {
	secrets := clientset.NewClientset()
	source := SelfManaged(&Authority{Client: secrets, Secret: secretName}, serverName)
	if source.NeedLeaderElection() {
		t.Error("the source runs on the leader only")
	}
	run(t, source.Start)
	if err := source.Check(nil); err == nil || source.Healthy() {
		t.Errorf("ready without a certificate: Check() = %v", err)
	}
	if _, err := source.GetCertificate(nil); err == nil {
		t.Error("GetCertificate succeeded without a certificate")
	}

	registry := prometheus.NewPedanticRegistry()
	if err := RegisterMetrics(registry, "webhook", source); err != nil {
		t.Fatal(err)
	}
	if count, err := testutil.GatherAndCount(registry); count != 0 || err != nil {
		t.Errorf("%d metrics (%v) without a certificate, want none", count, err)
	}

	now := time.Now()
	ca := mustSigner(t, now, time.Hour)
	if _, err := secrets.CoreV1().Secrets(secretName.Namespace).Create(t.Context(), caSecret(ca), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "source is healthy", source.Healthy)
	certificate, err := source.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := accepts(encodeBundle(ca.certificate), certificate.Leaf, now); err != nil {
		t.Error(err)
	}
	want := map[string]float64{
		"credence_serving_certificate_expiry_timestamp_seconds": float64(certificate.Leaf.NotAfter.Unix()),
		"credence_ca_expiry_timestamp_seconds":                  float64(ca.certificate.NotAfter.Unix()),
	}
	if diff := cmp.Diff(want, gathered(t, registry)); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func gathered(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			values[family.GetName()] = metric.GetGauge().GetValue()
		}
	}
	return values
}

func TestRegisterMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	source := FromFiles("absent", "absent")
	for _, server := range []string{"webhook", "server"} { // both in one process, as in `credence all`
		if err := RegisterMetrics(registry, server, source); err != nil {
			t.Error(err)
		}
	}
	if err := RegisterMetrics(registry, "webhook", source); err == nil {
		t.Error("a server was registered twice")
	}
}

// keyPair writes a leaf of ca with its key, and returns the leaf.
func keyPair(t *testing.T, ca *signer, now time.Time, certificateFile, keyFile string) *x509.Certificate {
	t.Helper()
	leaf, err := ca.sign(leafTemplate(), now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, certificateFile, encodeBundle(leaf))
	write(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: privateKeyBlock, Bytes: der}))
	return leaf
}

// write replaces a file at once, as the kubelet does.
func write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

func TestFromFiles(t *testing.T) {
	folder := t.TempDir()
	certificateFile, keyFile := filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	source := filesEvery(5*time.Millisecond, certificateFile, keyFile)
	fakeClock := clocktesting.NewFakePassiveClock(epoch)
	source.clock = fakeClock
	run(t, source.Start)
	if err := source.Check(nil); err == nil || !strings.HasPrefix(err.Error(), "no serving certificate yet") {
		t.Errorf("Check() without files: %v", err)
	}

	serves := func(want *x509.Certificate) func() bool {
		return func() bool {
			got, err := source.GetCertificate(nil)
			return err == nil && got.Leaf.Equal(want)
		}
	}
	ca := mustSigner(t, epoch, 90*day)
	first := keyPair(t, ca, epoch, certificateFile, keyFile)
	eventually(t, "first pair is served", serves(first))
	if !source.Healthy() {
		t.Error("not healthy with a certificate")
	}

	write(t, certificateFile, []byte("oops"))
	if !serves(first)() {
		t.Error("a damaged file displaced the last good certificate")
	}
	fakeClock.SetTime(epoch.Add(time.Hour))
	if err := source.Check(nil); err == nil || source.Healthy() { // akv2k8s-website#73: expired without a sign of it
		t.Error("healthy with an expired certificate")
	}
	second := keyPair(t, ca, epoch.Add(time.Hour), certificateFile, keyFile)
	eventually(t, "second pair is served", serves(second))
	if err := source.Check(nil); err != nil {
		t.Error(err)
	}
}
