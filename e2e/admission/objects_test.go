// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

// project makes a namespace that is a project.
func project(tb testing.TB, name string) {
	tb.Helper()
	create(tb, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{v1alpha1.LabelProject: name},
	}})
}

// genericSource makes a labelled Secret with the key "token" in a project.
func genericSource(namespace, name string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{v1alpha1.LabelSourceType: "generic"}},
		StringData: map[string]string{"token": "not-a-secret"},
	}
}

// genericCredential makes a project's credential of that source.
func genericCredential(namespace, name string) *v1alpha1.Credential {
	return &v1alpha1.Credential{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.CredentialSpec{
			Type: v1alpha1.Generic, Scope: v1alpha1.Scope{Level: v1alpha1.ScopeProject},
			SecretRef: v1alpha1.SecretReference{Name: name},
		},
	}
}

// pod makes a pod that asks for annotations, or for nothing.
func pod(namespace, name string, annotations map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: annotations},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/app"}}},
	}
}

func create(tb testing.TB, objects ...client.Object) {
	tb.Helper()
	for _, object := range objects {
		if err := cluster.Client().Create(tb.Context(), object); err != nil {
			tb.Fatalf("creating %T %s/%s: %v", object, object.GetNamespace(), object.GetName(), err)
		}
	}
}

// ready waits until a credential can be used.
func ready(tb testing.TB, namespace, name string) {
	tb.Helper()
	err := local.Poll(tb.Context(), "credential "+name, func(ctx context.Context) (bool, error) {
		c := &v1alpha1.Credential{}
		err := cluster.Client().Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, c)
		return c.Status.State == v1alpha1.StateNoIssuesFound, err
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// hasToken says whether the pod reads the token of a Secret.
func hasToken(pod *corev1.Pod, secret string) bool {
	for _, source := range pod.Spec.Containers[0].EnvFrom {
		if source.SecretRef != nil && source.SecretRef.Name == secret {
			return true
		}
	}
	return false
}
