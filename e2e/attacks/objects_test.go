// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

func project(name, department string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1alpha1.LabelProject: name, v1alpha1.LabelDepartment: department}}}
}

// source is a Secret with the labels of one made in advance: for the cluster, or for a
// department.
func source(namespace, name, scope string) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{v1alpha1.LabelSourceType: "generic"}},
		StringData: map[string]string{"api-key": "not-a-secret"},
	}
	if scope == "cluster" {
		secret.Labels[v1alpha1.LabelSourceClusterWide] = "true"
	} else {
		secret.Labels[v1alpha1.LabelSourceDepartment] = scope
	}
	return secret
}

// wide is a credential whose scope is "cluster", "project", or a department.
func wide(name, secret, scope, namespace string) *v1alpha1.Credential {
	c := &v1alpha1.Credential{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.CredentialSpec{
			Type: v1alpha1.Generic, Scope: v1alpha1.Scope{Level: v1alpha1.ScopeLevel(scope)}, SecretRef: v1alpha1.SecretReference{Name: secret},
		},
	}
	if scope != "cluster" && scope != "project" {
		c.Spec.Scope = v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: scope}
	}
	return c
}

// ofCluster makes a credential of the cluster with its source, and waits for its copies.
func ofCluster(t *testing.T, name string) *v1alpha1.Credential {
	t.Helper()
	c := wide(name, name+"-key", "cluster", system)
	made(t, source(system, name+"-key", "cluster"), c)
	copyOf(t, teamA, name)
	copyOf(t, teamB, name)
	because(t, c, v1alpha1.ReasonPropagated)
	return c
}

func copyOf(t *testing.T, namespace, credential string) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{}
	poll(t, "there is a copy of "+credential+" in "+namespace, func(ctx context.Context) error {
		err := cluster.Client().Get(ctx, client.ObjectKey{Namespace: namespace, Name: "genericsecret-" + credential}, secret)
		if err == nil && secret.Labels[v1alpha1.LabelCopyOf] != credential {
			err = errors.New("it is another Secret")
		}
		return err
	})
	return secret
}

// because waits until a credential's condition Ready has a reason.
func because(t *testing.T, c *v1alpha1.Credential, reason string) *v1alpha1.CredentialStatus {
	t.Helper()
	found := &v1alpha1.Credential{}
	poll(t, fmt.Sprintf("credential %s/%s is %s", c.Namespace, c.Name, reason), func(ctx context.Context) error {
		if err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(c), found); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(found.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Reason != reason || ready.ObservedGeneration != found.Generation {
			return fmt.Errorf("it is %+v", ready)
		}
		return nil
	})
	return &found.Status
}

// pod asks for something by annotations, as keys and values in turn.
func pod(name string, annotations ...string) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: teamA, Name: name, Annotations: map[string]string{}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "example.com/app:1"}}},
	}
	for i := 0; i+1 < len(annotations); i += 2 {
		p.Annotations[annotations[i]] = annotations[i+1]
	}
	return p
}

// eventually polls until attempt gives no error.
func eventually(ctx context.Context, what string, attempt func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, pollEvery, within, true, func(ctx context.Context) (bool, error) {
		last = attempt(ctx)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting until %s: %w", what, last)
	}
	return nil
}

func poll(t *testing.T, what string, attempt func(context.Context) error) {
	t.Helper()
	if err := eventually(t.Context(), what, attempt); err != nil {
		t.Fatal(err)
	}
}

// gone waits until an object is gone.
func gone(t *testing.T, object client.Object) {
	t.Helper()
	poll(t, fmt.Sprintf("%T %s/%s is gone", object, object.GetNamespace(), object.GetName()), func(ctx context.Context) error {
		err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(object), object)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("it is still there"), err)
	})
}

// none says that there is no such Secret.
func none(t *testing.T, namespace, name string) {
	t.Helper()
	err := cluster.Client().Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &corev1.Secret{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("Secret %s/%s: %v, and there should be none", namespace, name, err)
	}
}
