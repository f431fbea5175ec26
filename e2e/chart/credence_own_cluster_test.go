// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"context"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/e2e/chart"
)

// TestCredenceObjectsWithoutWebhook holds which writes of Credentials need the
// webhook, which is down: those that create one, change its spec, or would forge who
// did. Nothing else is kept from happening; above all, every credential can go.
func TestCredenceObjectsWithoutWebhook(t *testing.T) {
	plane := startPlane(t)
	admin, err := client.New(plane.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	create(t, admin, namespaceOf("team-a"))
	create(t, admin, namespaceOf(installNamespace))
	var before, webhooks []*unstructured.Unstructured
	for _, object := range rendered(t, "").Objects {
		if strings.HasSuffix(object.GetKind(), "WebhookConfiguration") {
			webhooks = append(webhooks, object)
		} else {
			before = append(before, object)
		}
	}
	if err := chart.Apply(t.Context(), admin, installNamespace, before); err != nil {
		t.Fatal(err)
	}
	names := []string{"spec", "metadata", "status", "finalizer", "spec-while-deleting", "delete", "collection-1", "collection-2"}
	for _, name := range names {
		create(t, admin, credentialOf(name))
	}
	if err := chart.Apply(t.Context(), admin, installNamespace, webhooks); err != nil {
		t.Fatal(err)
	}
	refusedBy(t, admin, stamped) // the API server's own watch of the configurations takes a moment

	t.Run("writes", func(t *testing.T) { ownWritesWithoutWebhook(t, admin) })
	t.Run("deletes", func(t *testing.T) { ownDeletesWithoutWebhook(t, admin) })
	t.Run("either entry is enough", func(t *testing.T) {
		mutating := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "credence"}}
		if err := admin.Delete(t.Context(), mutating); err != nil {
			t.Fatal(err)
		}
		refusedBy(t, admin, named)
	})
}

func ownWritesWithoutWebhook(t *testing.T, admin client.Client) {
	cases := map[string]struct {
		credential, patch string
		status, refused   bool
	}{
		"a change of the spec":      {"spec", `{"spec": {"displayName": "A"}}`, false, true},
		"the same spec":             {"spec", `{"spec": {"type": "generic"}}`, false, false},
		"a pretended deletion":      {"spec", `{"metadata": {"deletionTimestamp": "2026-06-30T00:00:00Z"}, "spec": {"displayName": "A"}}`, false, true},
		"a forged author":           {"metadata", `{"metadata": {"annotations": {"credence.dev/created-by": "x"}}}`, false, true},
		"a forged editor":           {"metadata", `{"metadata": {"annotations": {"credence.dev/updated-by": "x"}}}`, false, true},
		"an author for the status":  {"metadata", `{"metadata": {"annotations": {"credence.dev/created-by": "x"}}}`, true, false},
		"a label":                   {"metadata", `{"metadata": {"labels": {"a": "b"}}}`, false, false},
		"another annotation":        {"metadata", `{"metadata": {"annotations": {"a": "b"}}}`, false, false},
		"the finalizer":             {"metadata", `{"metadata": {"finalizers": ["credence.dev/copies"]}}`, false, false},
		"a status":                  {"status", `{"status": {"state": "NoIssuesFound"}}`, true, false},
		"a spec that is only there": {"status", `{"spec": {"displayName": "A"}}`, true, false},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c, patch := credentialOf(test.credential), client.RawPatch("application/merge-patch+json", []byte(test.patch))
			err := error(nil)
			if test.status {
				err = admin.Status().Patch(t.Context(), c, patch)
			} else {
				err = admin.Patch(t.Context(), c, patch)
			}
			if (err != nil) != test.refused || err != nil && !strings.Contains(err.Error(), stamped) {
				t.Errorf("the error is %v, want a refusal: %t", err, test.refused)
			}
			if err == nil && (c.GetAnnotations()["credence.dev/created-by"] != "" || find(c.Object, "displayName") != "") {
				t.Errorf("it was not refused and took effect: %v", c.Object)
			}
		})
	}
}

func ownDeletesWithoutWebhook(t *testing.T, admin client.Client) {
	held := `{"metadata": {"finalizers": ["credence.dev/copies"]}}`
	for _, name := range []string{"finalizer", "spec-while-deleting", "collection-1"} {
		if err := admin.Patch(t.Context(), credentialOf(name), client.RawPatch("application/merge-patch+json", []byte(held))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"finalizer", "spec-while-deleting", "delete"} {
		if err := admin.Delete(t.Context(), credentialOf(name)); err != nil {
			t.Errorf("deleting %s: %v", name, err)
		}
	}
	if err := admin.DeleteAllOf(t.Context(), credentialOf(""), client.InNamespace("team-a")); err != nil {
		t.Errorf("deleting all: %v", err)
	}
	// Whoever removes the finalizer may write all of the object, as kubectl replace does.
	changed := `{"spec": {"displayName": "A"}, "metadata": {"annotations": {"credence.dev/created-by": "x"}}}`
	if err := admin.Patch(t.Context(), credentialOf("spec-while-deleting"), client.RawPatch("application/merge-patch+json", []byte(changed))); err != nil {
		t.Errorf("changing what is being deleted: %v", err)
	}
	released := `{"metadata": {"finalizers": null}}`
	for _, name := range []string{"finalizer", "spec-while-deleting", "collection-1", "metadata"} {
		err := admin.Patch(t.Context(), credentialOf(name), client.RawPatch("application/merge-patch+json", []byte(released)))
		if client.IgnoreNotFound(err) != nil {
			t.Errorf("removing the finalizer of %s: %v", name, err)
		}
	}
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion("credence.dev/v1alpha1")
	list.SetKind("CredentialList")
	if err := admin.List(t.Context(), list, client.InNamespace("team-a")); err != nil || len(list.Items) > 0 {
		t.Errorf("%d credentials are left: %v", len(list.Items), err)
	}
}

// refusedBy waits until creating a Credential is refused for want of an entry.
func refusedBy(t *testing.T, admin client.Client, entry string) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		last = admin.Create(ctx, credentialOf("new"), client.DryRunAll)
		return apierrors.IsInternalError(last) && strings.Contains(last.Error(), entry), nil
	})
	if err != nil {
		t.Fatalf("creating a Credential is not refused for want of %s: %v", entry, last)
	}
}

func create(t *testing.T, admin client.Client, object client.Object) {
	t.Helper()
	if err := admin.Create(t.Context(), object); err != nil {
		t.Fatalf("creating %s: %v", object.GetName(), err)
	}
}

func namespaceOf(name string) *corev1.Namespace {
	namespace := &corev1.Namespace{}
	namespace.Name, namespace.Labels = name, map[string]string{"credence.dev/project": name}
	return namespace
}

func credentialOf(name string) *unstructured.Unstructured {
	c := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"type": "generic", "scope": map[string]any{"level": "project"}, "secretRef": map[string]any{"name": "key"},
	}}}
	c.SetAPIVersion("credence.dev/v1alpha1")
	c.SetKind("Credential")
	c.SetNamespace("team-a")
	c.SetName(name)
	return c
}
