// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestTakenNames (64): a tenant's Secret that has the name of a copy, and all of its marks
// that somebody may write, written under the name of Credence's own field manager, stays
// his: no value gets into it, at first or later. Without it the copy comes.
func TestTakenNames(t *testing.T) {
	tenant := as(t, tenant)
	const forged = `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "genericsecret-taken", "namespace": "team-a",
		"labels": {"app.kubernetes.io/managed-by": "credence", "app.kubernetes.io/name": "credence"},
		"annotations": {"credence.dev/copy-of-uid": "b1d5c5a8-7c5f-4a86-9d3b-000000000000", "credence.dev/fingerprint": "k:1"}},
		"stringData": {"mine": "not-a-secret-either"}}`
	key := client.ObjectKey{Namespace: teamA, Name: "genericsecret-taken"}
	own := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	if err := tenant.Patch(t.Context(), own, client.RawPatch(types.ApplyPatchType, []byte(forged)), client.FieldOwner(v1alpha1.FieldManager)); err != nil {
		t.Fatal(err)
	}
	taken := wide("taken", "taken-key", "cluster", system)
	made(t, source(system, "taken-key", "cluster"), taken)
	there := copyOf(t, teamB, "taken")
	if status := because(t, taken, v1alpha1.ReasonNamespaceIssues); len(status.TakenNamespaces) != 1 || status.TakenNamespaces[0] != teamA {
		t.Errorf("the name is taken in %v", status.TakenNamespaces)
	}
	// New values go where there is a copy, and not here.
	changed := source(system, "taken-key", "cluster")
	poll(t, "the values are changed", func(ctx context.Context) error {
		return retry(ctx, changed, func() { changed.StringData = map[string]string{"api-key": "not-a-secret-again"} })
	})
	poll(t, "the copy follows", func(ctx context.Context) error {
		err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(there), there)
		if err == nil && string(there.Data["api-key"]) != "not-a-secret-again" {
			err = errors.New("it has the old values")
		}
		return err
	})
	found := &corev1.Secret{}
	if err := cluster.Client().Get(t.Context(), key, found); err != nil || found.ResourceVersion != own.ResourceVersion || len(found.Data) != 1 {
		t.Errorf("the tenant's Secret was written: %v, it has %d keys", err, len(found.Data))
	}
	err := tenant.Create(t.Context(), pod("wants-taken", v1alpha1.AnnotationCredentials, "taken"))
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "another Secret there has its name genericsecret-taken") {
		t.Errorf("a pod that would read the tenant's own: %v", err)
	}
	if err := tenant.Delete(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	copyOf(t, teamA, "taken")
}

// TestCopiesAreNotTheTenants: Kubernetes' own role admin lets a tenant do everything with
// the Secrets of the project, and nothing with a copy: no value, no mark, no owner by which
// the garbage collector would remove it, nothing that keeps it from going.
func TestCopiesAreNotTheTenants(t *testing.T) {
	ofCluster(t, "guarded")
	tenant, here := as(t, tenant), copyOf(t, teamA, "guarded")
	update := func(change func(*corev1.Secret)) func(context.Context) error {
		return func(ctx context.Context) error {
			changed := here.DeepCopy()
			change(changed)
			return tenant.Update(ctx, changed)
		}
	}
	apply := func(text string) func(context.Context) error {
		return func(ctx context.Context) error {
			return tenant.Patch(ctx, here.DeepCopy(), client.RawPatch(types.ApplyPatchType, []byte(text)), client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership)
		}
	}
	nobody := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "nobody", UID: "b1d5c5a8-7c5f-4a86-9d3b-000000000000"}
	const head = `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "genericsecret-guarded", "namespace": "team-a"`
	for name, try := range map[string]func(context.Context) error{
		"delete":                 func(ctx context.Context) error { return tenant.Delete(ctx, here.DeepCopy()) },
		"another value":          update(func(s *corev1.Secret) { s.Data = map[string][]byte{"api-key": []byte("not-a-secret-either")} }),
		"as Credence":            apply(head + `}, "stringData": {"api-key": "not-a-secret-either"}}`),
		"an owner that is gone":  update(func(s *corev1.Secret) { s.OwnerReferences = []metav1.OwnerReference{nobody} }),
		"a finalizer":            update(func(s *corev1.Secret) { s.Finalizers = []string{"example.com/hold"} }),
		"immutable":              update(func(s *corev1.Secret) { s.Immutable = new(true) }),
		"an ordinary Secret":     update(func(s *corev1.Secret) { delete(s.Labels, v1alpha1.LabelCopyOf) }),
		"the source of another":  update(func(s *corev1.Secret) { maps.Copy(s.Labels, map[string]string{v1alpha1.LabelSourceType: "generic"}) }),
		"force-delete on a copy": update(func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationForceDelete] = "true" }),
	} {
		if err := try(t.Context()); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "credence-copies") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Nor is there a second one, with values of the tenant's own.
	second := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: teamA, Name: "second", Labels: here.Labels, Annotations: here.Annotations}}
	if err := tenant.Create(t.Context(), second); !apierrors.IsForbidden(err) {
		t.Errorf("a second copy: %v", err)
	}
	now := copyOf(t, teamA, "guarded")
	if now.ResourceVersion != here.ResourceVersion {
		t.Error("the copy was changed")
	}
}
