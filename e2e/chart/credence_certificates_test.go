// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/e2e/chart"
)

// certificatesOf is who makes the certificates with these values.
func certificatesOf(t *testing.T, values string) string {
	t.Helper()
	certs, _ := parseValues(t, values)["certs"].(map[string]any)
	mode, _ := certs["mode"].(string)
	return mode
}

// withoutRights takes away what the processes do not do where somebody else makes the
// certificates.
func withoutRights(rights map[string][]string, mode string) {
	gone, narrowed := []string{}, map[string]string{}
	switch mode {
	case "cert-manager":
		const mutating = "cluster: mutatingwebhookconfigurations.admissionregistration.k8s.io/"
		narrowed[mutating+"credence get,list,patch,watch"] = mutating + "credence get,list,watch"
		narrowed[mutating+"credence-workload-kinds delete,get,list,patch,update,watch"] = mutating + "credence-workload-kinds delete,get,list,update,watch"
		gone = append(gone, "cluster: validatingwebhookconfigurations.admissionregistration.k8s.io/credence get,list,patch,watch")
	case "provided":
	default:
		return
	}
	gone = append(gone, "install: secrets./credence-webhook-ca list,watch", "install: secrets./credence-webhook-ca update")
	for account, all := range rights {
		var left []string
		for _, right := range all {
			if narrow, is := narrowed[right]; is {
				right = narrow
			}
			if !slices.Contains(gone, right) {
				left = append(left, right)
			}
		}
		rights[account] = left
	}
}

// TestCertificatesReachTheProcesses: the processes serve with what is mounted, and with
// nothing else; the controller publishes a CA where nobody else does.
func TestCertificatesReachTheProcesses(t *testing.T) {
	for name, test := range map[string]struct {
		values, secret string
		keys           []string
		publishes      bool
	}{
		"self":         {values: ""},
		"cert-manager": {values: variations["cert-manager"], secret: "credence-serving", keys: []string{"tls.crt", "tls.key"}},
		"an issuer":    {values: variations["an issuer"], secret: "credence-serving", keys: []string{"tls.crt", "tls.key"}},
		"provided":     {values: variations["provided"], secret: "ours", keys: []string{"tls.crt", "tls.key", "ca.crt"}, publishes: true},
	} {
		t.Run(name, func(t *testing.T) {
			for process, deployment := range typed[appsv1.Deployment](t, rendered(t, test.values), "Deployment") {
				pod := deployment.Spec.Template.Spec
				args := pod.Containers[0].Args
				if got := slices.Contains(args, "--ca-files=/etc/credence/certificate/ca.crt"); got != (test.publishes && process == "credence-controller") {
					t.Errorf("%s publishes a CA: %t", process, got)
				}
				if got := slices.Contains(args, "--cert-dir=/etc/credence/certificate"); got != (test.secret != "") {
					t.Errorf("%s serves with files: %t", process, got)
				}
				if test.secret == "" {
					if len(pod.Volumes) != 0 {
						t.Errorf("%s has volumes %v", process, pod.Volumes)
					}
					continue
				}
				secret, mounts := pod.Volumes[0].Secret, pod.Containers[0].VolumeMounts
				var keys []string
				for _, item := range secret.Items {
					keys = append(keys, item.Key)
					if item.Path != item.Key {
						t.Errorf("%s finds %s in %s", process, item.Key, item.Path)
					}
				}
				if secret.SecretName != test.secret || !slices.Equal(keys, test.keys) || len(mounts) != 1 || mounts[0].MountPath != "/etc/credence/certificate" {
					t.Errorf("%s has the keys %v of Secret %s at %v", process, keys, secret.SecretName, mounts)
				}
			}
		})
	}
}

// TestCertManagerObjects: what cert-manager is asked for is what is mounted, and its CA
// goes to every webhook configuration.
func TestCertManagerObjects(t *testing.T) {
	ownCA := cmmeta.IssuerReference{Group: "cert-manager.io", Kind: "Issuer", Name: "credence-ca"}
	for name, test := range map[string]struct {
		values                string
		issuer                cmmeta.IssuerReference
		names, addresses      []string
		issuers, certificates []string
	}{
		"a CA of its own": {
			values: variations["cert-manager"], issuer: ownCA, names: services(),
			issuers: []string{"credence-ca", "credence-selfsigned"}, certificates: []string{"credence-ca", "credence-serving"},
		},
		"an issuer": {
			values: variations["an issuer"], issuer: cmmeta.IssuerReference{Group: "cert-manager.io", Kind: "ClusterIssuer", Name: "internal"},
			names: services(), certificates: []string{"credence-serving"},
		},
		"an issuer of others": {
			values: `certs: {mode: cert-manager, certManager: {issuerRef: {group: awspca.cert-manager.io, kind: AWSPCAClusterIssuer, name: internal}}}`,
			issuer: cmmeta.IssuerReference{Group: "awspca.cert-manager.io", Kind: "AWSPCAClusterIssuer", Name: "internal"},
			names:  services(), certificates: []string{"credence-serving"},
		},
		"an issuer of the namespace": {
			values: `certs: {mode: cert-manager, certManager: {issuerRef: {name: internal}}}`,
			issuer: cmmeta.IssuerReference{Group: "cert-manager.io", Kind: "Issuer", Name: "internal"},
			names:  services(), certificates: []string{"credence-serving"},
		},
		"processes outside": {
			values: `
certs: {mode: cert-manager}
webhook: {url: "https://credence.example.com/reviews"}
controller: {url: "https://192.0.2.1:9444"}`,
			issuer: ownCA, names: []string{"credence.example.com"}, addresses: []string{"192.0.2.1"},
			issuers: []string{"credence-ca", "credence-selfsigned"}, certificates: []string{"credence-ca", "credence-serving"},
		},
		"not asked": {values: ""},
	} {
		t.Run(name, func(t *testing.T) {
			manifests := rendered(t, test.values)
			issuers := typed[certmanagerv1.Issuer](t, manifests, "Issuer")
			certificates := typed[certmanagerv1.Certificate](t, manifests, "Certificate")
			if diff := cmp.Diff(test.issuers, slices.Sorted(maps.Keys(issuers))); diff != "" {
				t.Errorf("Issuers (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.certificates, slices.Sorted(maps.Keys(certificates))); diff != "" {
				t.Fatalf("Certificates (-want +got):\n%s", diff)
			}
			checkInjection(t, manifests, len(test.certificates) > 0)
			if len(test.certificates) == 0 {
				return
			}
			want := certmanagerv1.CertificateSpec{
				SecretName: "credence-serving", DNSNames: test.names, IPAddresses: test.addresses, IssuerRef: test.issuer,
				Usages:     []certmanagerv1.KeyUsage{certmanagerv1.UsageDigitalSignature, certmanagerv1.UsageServerAuth},
				PrivateKey: &certmanagerv1.CertificatePrivateKey{Algorithm: "ECDSA", Size: 256, RotationPolicy: certmanagerv1.RotationPolicyAlways},
			}
			if diff := cmp.Diff(want, certificates["credence-serving"].Spec); diff != "" {
				t.Errorf("the serving Certificate (-want +got):\n%s", diff)
			}
			if len(issuers) > 0 {
				checkOwnCA(t, issuers, certificates["credence-ca"].Spec)
			}
		})
	}
}

func services() []string {
	return []string{"credence-webhook." + installNamespace + ".svc", "credence-controller." + installNamespace + ".svc"}
}

// checkOwnCA holds that the CA is signed by itself, that it signs, and that its key stays:
// a new one would cut off what is served with a certificate of the old one.
func checkOwnCA(t *testing.T, issuers map[string]certmanagerv1.Issuer, ca certmanagerv1.CertificateSpec) {
	t.Helper()
	if ca.IssuerRef.Kind != "Issuer" || issuers[ca.IssuerRef.Name].Spec.SelfSigned == nil {
		t.Errorf("the CA is signed by %v, want an Issuer that is selfSigned", ca.IssuerRef)
	}
	signer := issuers["credence-ca"].Spec.CA
	if !ca.IsCA || signer == nil || signer.SecretName != ca.SecretName || ca.SecretName == "credence-serving" {
		t.Errorf("the CA is in Secret %s, the issuer signs with %v", ca.SecretName, signer)
	}
	if ca.CommonName == "" || ca.PrivateKey == nil || ca.PrivateKey.RotationPolicy != certmanagerv1.RotationPolicyNever {
		t.Errorf("the CA %q has the key %v, want one that stays", ca.CommonName, ca.PrivateKey)
	}
}

// checkInjection holds that every webhook configuration asks for the CA of the serving
// Certificate, or none does.
func checkInjection(t *testing.T, manifests *chart.Manifests, asks bool) {
	t.Helper()
	want := ""
	if asks {
		want = installNamespace + "/credence-serving"
	}
	check := func(about metav1.ObjectMeta) {
		if got := about.Annotations[certmanagerv1.WantInjectAnnotation]; got != want {
			t.Errorf("webhook configuration %s asks for the CA of %q, want %q", about.Name, got, want)
		}
	}
	for _, mutating := range typed[admissionregistrationv1.MutatingWebhookConfiguration](t, manifests, "MutatingWebhookConfiguration") {
		check(mutating.ObjectMeta)
	}
	for _, validating := range typed[admissionregistrationv1.ValidatingWebhookConfiguration](t, manifests, "ValidatingWebhookConfiguration") {
		check(validating.ObjectMeta)
	}
}

// TestNotesTellTheNextCommand: what is to be done depends on who makes the certificates.
func TestNotesTellTheNextCommand(t *testing.T) {
	const makes, waits = "kubectl -n " + installNamespace + " create secret generic ours", "wait --for=condition=Ready certificate/credence-serving"
	for values, told := range map[string][]string{
		"":                         {},
		variations["cert-manager"]: {waits},
		variations["provided"]:     {makes, strings.Join(services(), ", ")},
	} {
		notes := rendered(t, values).Notes
		if !strings.Contains(notes, "rollout status deployment") {
			t.Errorf("with %q nobody is told to wait for the processes", values)
		}
		for _, line := range []string{makes, waits, strings.Join(services(), ", ")} {
			if strings.Contains(notes, line) != slices.Contains(told, line) {
				t.Errorf("with %q this is told: %t: %s", values, !slices.Contains(told, line), line)
			}
		}
	}
	outside := `
certs: {mode: provided}
webhook: {url: "https://127.0.0.1:9443/"}
controller: {url: "https://127.0.0.1:9444/"}`
	if _, err := chart.Render(os.DirFS(credence), credenceRelease(parseValues(t, outside))); err != nil {
		t.Errorf("without processes in the cluster no Secret is needed: %v", err)
	}
}
