// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestNobodyHoldsForEver: a tenant uses a credential of the cluster in every way that
// keeps it from being deleted, one pod with a finalizer of his own among them. Whoever
// has the right to force is rid of it, and the tenant cannot come again.
func TestNobodyHoldsForEver(t *testing.T) {
	wanted := ofCluster(t, "wanted")
	tenant := as(t, tenant)
	labels := map[string]string{"app": "holds"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: teamA, Name: "holds", Annotations: map[string]string{v1alpha1.AnnotationCredentials: "wanted"}},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod("").Spec},
		},
	}
	stuck := pod("stuck", v1alpha1.AnnotationCredentials, "wanted")
	stuck.Finalizers = []string{"example.com/hold"}
	template := &v1alpha1.WorkloadTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: teamA, Name: "holds"}}
	template.Spec.Scope.Level, template.Spec.Credentials = v1alpha1.ScopeProject, []v1alpha1.AssetName{"wanted"}
	for _, object := range []client.Object{deployment, stuck, template} {
		if err := tenant.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	if err := tenant.Delete(t.Context(), stuck.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stuck.Finalizers = nil
		_ = tenant.Update(context.WithoutCancel(t.Context()), stuck)
	}()
	found := &v1alpha1.Credential{}
	poll(t, "all three count", func(ctx context.Context) error {
		err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(wanted), found)
		if err == nil && found.Status.UsedBy.Total != 3 {
			err = fmt.Errorf("it says %+v", found.Status.UsedBy)
		}
		return err
	})
	if err := as(t, keeper).Delete(t.Context(), wanted.DeepCopy()); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "detach it there first") {
		t.Fatalf("without force: %v", err)
	}
	keeper := as(t, keeper)
	poll(t, "it is forced", func(ctx context.Context) error {
		current := &v1alpha1.Credential{}
		if err := keeper.Get(ctx, client.ObjectKeyFromObject(wanted), current); err != nil {
			return err
		}
		current.Annotations = map[string]string{v1alpha1.AnnotationForceDelete: "true"}
		return keeper.Update(ctx, current)
	})
	if err := keeper.Delete(t.Context(), wanted.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	gone(t, wanted)
	for _, namespace := range []string{teamA, teamB} {
		gone(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "genericsecret-wanted"}})
	}
	poll(t, "no pod can name it any more", func(ctx context.Context) error {
		err := tenant.Create(ctx, pod("again", v1alpha1.AnnotationCredentials, "wanted"), client.DryRunAll)
		if !apierrors.IsForbidden(err) {
			err = errors.Join(errors.New("it is not refused"), err)
			return err
		}
		return nil
	})
}
