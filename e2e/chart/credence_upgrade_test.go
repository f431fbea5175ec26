// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/credence-dev/credence/certs"
	"github.com/credence-dev/credence/e2e/chart"
	"github.com/credence-dev/credence/e2e/controlplane"
)

// TestCredenceUpgrades: what others write into objects of the chart is never in the way
// of an upgrade, and stays: our own controller the CA bundle, Kubernetes' controllers the
// rest. All that the chart can become is taken by a real API server.
func TestCredenceUpgrades(t *testing.T) {
	programs, err := controlplane.Ensure(t.Context(), "../../bin/controlplane", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	plane, err := controlplane.Start(t.Context(), controlplane.Options{Programs: programs, ControllerManager: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	admin, err := client.New(plane.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	install := func(values string) {
		t.Helper()
		if err := chart.Apply(t.Context(), admin, installNamespace, rendered(t, values).Objects); err != nil {
			t.Fatalf("with %s: %v", values, err)
		}
	}
	install("")
	bundle := publish(t, admin)
	aggregated(t, admin)

	before := resourceVersions(t, admin, settled(rendered(t, "")))
	install("")
	if diff := cmp.Diff(before, resourceVersions(t, admin, settled(rendered(t, "")))); diff != "" {
		t.Errorf("an upgrade to the same changes (-before +after):\n%s", diff)
	}
	for _, name := range []string{"other labels and namespaces", "carrying", "placement", "closed", "provided", "labelled"} {
		install(variations[name])
		published(t, admin, bundle)
	}
	if err := chart.Apply(t.Context(), admin, installNamespace, definitionsOfOthers(t)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"watched", "an issuer", "cert-manager", "defaults"} {
		install(variations[name])
		published(t, admin, bundle)
	}
}

// publish makes a CA and writes it into the webhook configurations, as the controller
// does.
func publish(t *testing.T, admin client.Client) []byte {
	t.Helper()
	key := types.NamespacedName{Namespace: installNamespace, Name: "credence-webhook-ca"}
	publisher := &certs.Publisher{Client: admin, Reader: admin, Secret: key}
	for _, controller := range []reconcile.Reconciler{&certs.Rotator{Client: admin, Reader: admin, Secret: key}, publisher} {
		if _, err := controller.Reconcile(t.Context(), reconcile.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	bundles, err := publisher.Published(t.Context())
	if err != nil || len(bundles) == 0 || len(bundles[0]) == 0 {
		t.Fatalf("%d bundles are published: %v", len(bundles), err)
	}
	return bundles[0]
}

// published fails if an entry has lost the bundle.
func published(t *testing.T, admin client.Client, want []byte) {
	t.Helper()
	mutating, validating := &admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{}
	got := map[string][]byte{}
	for _, object := range []client.Object{mutating, validating} {
		if err := admin.Get(t.Context(), client.ObjectKey{Name: "credence"}, object); err != nil {
			t.Fatal(err)
		}
	}
	for _, entry := range mutating.Webhooks {
		got[entry.Name] = entry.ClientConfig.CABundle
	}
	for _, entry := range validating.Webhooks {
		got[entry.Name] = entry.ClientConfig.CABundle
	}
	for name, bundle := range got {
		if !bytes.Equal(bundle, want) {
			t.Errorf("entry %s has a bundle of %d bytes after an upgrade, want the %d that were published", name, len(bundle), len(want))
		}
	}
}

// aggregated waits until Kubernetes has written rules into a role of the chart's.
func aggregated(t *testing.T, admin client.Client) {
	t.Helper()
	user := &rbacv1.ClusterRole{}
	user.Name, user.Labels = "gadgets", map[string]string{"credence.dev/aggregate-to-controller": "true"}
	user.Rules = []rbacv1.PolicyRule{{APIGroups: []string{"example.com"}, Resources: []string{"gadgets"}, Verbs: []string{"list", "watch"}}}
	if err := admin.Create(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		role, deployment := &rbacv1.ClusterRole{}, &appsv1.Deployment{}
		err := admin.Get(ctx, client.ObjectKey{Name: "credence-workload-kinds"}, role)
		if err != nil || len(role.Rules) == 0 {
			return false, err
		}
		err = admin.Get(ctx, client.ObjectKey{Namespace: installNamespace, Name: "credence-webhook"}, deployment)
		return deployment.Status.ObservedGeneration > 0 && deployment.Annotations["deployment.kubernetes.io/revision"] != "", err
	})
	if err != nil {
		t.Fatalf("waiting for Kubernetes' controllers: %v", err)
	}
}

// settled leaves out the kinds whose status goes on to change.
func settled(manifests *chart.Manifests) *chart.Manifests {
	left := *manifests
	left.Objects = slices.DeleteFunc(slices.Clone(manifests.Objects), func(o *unstructured.Unstructured) bool {
		return slices.Contains([]string{"Deployment", "PodDisruptionBudget", "ValidatingAdmissionPolicy"}, o.GetKind())
	})
	return &left
}

// definitionsOfOthers are those of cert-manager, as it ships them, and one in the place of
// that of the Prometheus operator.
func definitionsOfOthers(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/cert-manager/cert-manager").Output()
	if err != nil {
		t.Fatalf("finding cert-manager: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "deploy", "crds", "cert-manager.io_*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("found the definitions %v: %v", files, err)
	}
	all, err := chart.Read(append(files, "testdata/servicemonitors.yaml")...)
	if err != nil {
		t.Fatal(err)
	}
	return all
}
