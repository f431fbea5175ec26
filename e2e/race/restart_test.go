// SPDX-License-Identifier: Apache-2.0

package race

import (
	"context"
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

// TestEndedInTheMoment: the controller ends between the deletion of a copy and the list
// of pods that follows it, and a pod that names the Secret itself was stored in that
// moment. The next controller remembers nothing, and gives the copy back all the same.
func TestEndedInTheMoment(t *testing.T) {
	ns := project(t, "ended", false)
	asController, err := client.New(cluster.ServiceAccount("credence-controller"), client.Options{Scheme: local.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	var all []*v1alpha1.Credential
	for i := range 8 { // the next controller looks at some before it knows all
		c := credentialNamed(fmt.Sprintf("ended-%d", i))
		source := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: c.Name,
				Labels: map[string]string{v1alpha1.LabelSourceType: "generic", v1alpha1.LabelSourceClusterWide: "true"}},
			StringData: map[string]string{"token": "not-a-secret"},
		}
		create(t, source, c)
		all = append(all, c)
	}
	for _, c := range all {
		eventually(t, "the copy is there", func(ctx context.Context) error {
			return cluster.Client().Get(ctx, client.ObjectKey{Namespace: ns, Name: copyName(c.Name)}, &corev1.Secret{})
		})
	}
	controller.Stop()
	for _, c := range all {
		if err := cluster.Client().Delete(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		var copies corev1.SecretList
		if err := cluster.Client().List(t.Context(), &copies, client.MatchingLabels{v1alpha1.LabelCopyOf: c.Name}); err != nil {
			t.Fatal(err)
		}
		for i := range copies.Items {
			if err := asController.Delete(t.Context(), &copies.Items[i]); err != nil {
				t.Fatal(err)
			}
		}
		pod := podNamed(ns, c.Name)
		pod.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: copyName(c.Name)}}}}
		create(t, pod)
	}
	if err := startController(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		eventually(t, "the copy is there again", func(ctx context.Context) error {
			if err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(c), &v1alpha1.Credential{}); apierrors.IsNotFound(err) {
				t.Fatalf("credential %s is gone, and a pod waits for its copy", c.Name)
			}
			return cluster.Client().Get(ctx, client.ObjectKey{Namespace: ns, Name: copyName(c.Name)}, &corev1.Secret{})
		})
	}
	if err := cluster.Client().DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(ns), client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		eventually(t, "the credential goes with the pod", func(ctx context.Context) error {
			err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(c), &v1alpha1.Credential{})
			if err == nil {
				return errors.New("it is there")
			}
			return client.IgnoreNotFound(err)
		})
	}
}
