// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

// TestCertManager: cert-manager's injector writes the CA into every webhook configuration,
// that of the controller too, and nobody of ours does. The test is the issuer.
func TestCertManager(t *testing.T) {
	w := start(t, map[string]any{"mode": "cert-manager"}, certManagerDefinitions(t)...)
	w.startInjector()
	first, second := newAuthority(t, "first"), newAuthority(t, "second")
	secret := w.secretOf("credence-serving")
	secret.Data = first.issue(t, first)
	w.must(w.cluster.Client().Create(t.Context(), secret))
	w.volume.write(secret.Data)
	w.process("webhook")
	w.process("controller")
	w.must(w.cluster.AwaitCredentials(t.Context()))
	w.tellOfGadgets()
	w.trusts(first)

	// Another CA: the injector keeps what it wrote before, so the volume may lag.
	secret.Data = second.issue(t, second)
	w.must(w.cluster.Client().Update(t.Context(), secret))
	w.trusts(first, second)
	w.must(w.cluster.AwaitCredentials(t.Context()))
	w.volume.write(secret.Data)
	w.served(secret.Data)
	w.must(w.cluster.AwaitCredentials(t.Context()))

	// The controller writes its own configuration again, and leaves the CAs as they are.
	w.tellMoreOfGadgets()
	if entry := w.untrusting(first, second); entry != "" {
		t.Errorf("%s has lost what was injected", entry)
	}
	w.must(w.cluster.Upgrade(t.Context(), map[string]any{"labels": map[string]any{"department": "example.com/department"}}))
	if entry := w.untrusting(first, second); entry != "" {
		t.Errorf("%s has lost what was injected by an upgrade", entry)
	}
	w.makesNoCA()
	for name, configuration := range w.configurations() {
		want := []string{"cainjector", "helm"}
		if name == "of kinds" {
			want = []string{"cainjector", v1alpha1.FieldManager}
		}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(managers(configuration)))); diff != "" {
			t.Errorf("who wrote the configuration %s (-want +got):\n%s", name, diff)
		}
	}
}

// tellMoreOfGadgets has the controller change its configuration.
func (w *world) tellMoreOfGadgets() {
	w.Helper()
	before := w.configurationOfKinds()
	before.Webhooks[0].MatchConditions = before.Webhooks[0].MatchConditions[:1]
	w.must(w.cluster.Client().Update(w.Context(), before, client.FieldOwner(v1alpha1.FieldManager)))
	w.eventually("the controller to write its configuration", func() bool {
		return len(w.configurationOfKinds().Webhooks[0].MatchConditions) > 1
	})
}

// secretOf is the Secret that an issuer would fill for a Certificate of the chart's.
func (w *world) secretOf(name string) *corev1.Secret {
	w.Helper()
	certificate := &certmanagerv1.Certificate{}
	c, err := client.New(w.cluster.Plane().Config(), client.Options{Scheme: w.cluster.Client().Scheme()})
	w.must(err)
	w.must(certmanagerv1.AddToScheme(c.Scheme()))
	w.must(c.Get(w.Context(), client.ObjectKey{Namespace: local.InstallNamespace, Name: name}, certificate))
	if diff := cmp.Diff([]string{"localhost"}, certificate.Spec.DNSNames); diff != "" {
		w.Errorf("it is for (-want +got):\n%s", diff)
	}
	return &corev1.Secret{Type: corev1.SecretTypeTLS, ObjectMeta: metav1.ObjectMeta{
		Namespace: local.InstallNamespace, Name: certificate.Spec.SecretName,
		Annotations: map[string]string{certmanagerv1.CertificateNameKey: name},
	}}
}

// startInjector runs what cert-manager's program cainjector runs.
func (w *world) startInjector() {
	w.Helper()
	config, skip := rest.CopyConfig(w.cluster.Plane().Config()), true
	config.UserAgent = "cainjector" // which it writes as
	scheme := local.Scheme()
	w.must(certmanagerv1.AddToScheme(scheme))
	options := ctrl.Options{Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}}
	options.Controller.SkipNameValidation = &skip
	options.Client.Cache = &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}
	mgr, err := ctrl.NewManager(config, options)
	w.must(err)
	w.must(cainjector.RegisterAllInjectors(w.Context(), mgr, cainjector.SetupOptions{
		EnableCertificatesDataSource: true,
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName: true, cainjector.ValidatingWebhookConfigurationName: true,
		},
	}))
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(w.Context()) }()
	w.Cleanup(func() {
		if err := <-ended; err != nil {
			w.Error(err)
		}
	})
}

// certManagerDefinitions are the files with cert-manager's definitions, as it ships them.
func certManagerDefinitions(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/cert-manager/cert-manager").Output()
	if err != nil {
		t.Fatalf("finding cert-manager: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "deploy", "crds", "cert-manager.io_*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("found the definitions %v: %v", files, err)
	}
	return files
}
