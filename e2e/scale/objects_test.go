// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
)

// systemNamespace is the home of credentials of the cluster and of departments.
var systemNamespace = credential.DefaultLayout().SystemNamespace

// stored gives an object what the API server would.
func stored(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: namespace, Name: name,
		UID:               uuid.NewUUID(),
		CreationTimestamp: metav1.NewTime(time.Now().Add(-time.Hour).Truncate(time.Second)),
		Generation:        1,
	}
}

// project is a namespace of a department, as the API server would store it.
func project(name, department string) *corev1.Namespace {
	namespace := &corev1.Namespace{
		ObjectMeta: stored("", name),
		Spec:       corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{corev1.FinalizerKubernetes}},
		Status:     corev1.NamespaceStatus{Phase: corev1.NamespaceActive},
	}
	namespace.Labels = map[string]string{
		corev1.LabelMetadataName: name, v1alpha1.LabelProject: name, v1alpha1.LabelDepartment: department,
	}
	return namespace
}

// projects yields namespaces of a department, by a prefix of their names.
func projects(department string, n int) func(yield func(client.Object) bool) {
	return func(yield func(client.Object) bool) {
		for i := range n {
			if !yield(project(projectName(department, i), department)) {
				return
			}
		}
	}
}

func projectName(department string, i int) string { return fmt.Sprintf("%s-%05d", department, i) }

// source makes a Secret that may be the source of a credential, as the API server
// would store it.
func source(namespace, name string, of v1alpha1.CredentialType, scope v1alpha1.Scope) *corev1.Secret {
	definition, _ := credential.DefinitionOf(of)
	secret := &corev1.Secret{
		ObjectMeta: stored(namespace, name),
		Type:       definition.NewSecretType,
		Data:       map[string][]byte{"token": value("first"), "endpoint": []byte("https://api.example.com/v1")},
	}
	secret.Labels = map[string]string{v1alpha1.LabelSourceType: definition.SourceLabel}
	switch scope.Level {
	case v1alpha1.ScopeCluster:
		secret.Labels[v1alpha1.LabelSourceClusterWide] = "true"
	case v1alpha1.ScopeDepartment:
		secret.Labels[v1alpha1.LabelSourceDepartment] = scope.Department
	}
	if definition.Registries {
		secret.Data = map[string][]byte{corev1.DockerConfigJsonKey: fmt.Appendf(nil,
			`{"auths":{"%s.registry.example.com":{"username":"robot","password":"not-a-secret","auth":"cm9ib3Q6bm90LWEtc2VjcmV0"}}}`, name)}
	}
	return secret
}

// value is a kibibyte, about what a certificate or a service account key has.
func value(word string) []byte {
	return []byte(strings.Repeat(word+" not-a-secret ", 1+1024/(len(word)+14))[:1024])
}

// credentialOf makes the Credential that has a source, and its name.
func credentialOf(source *corev1.Secret, of v1alpha1.CredentialType, scope v1alpha1.Scope) *v1alpha1.Credential {
	return &v1alpha1.Credential{
		ObjectMeta: metav1.ObjectMeta{Namespace: source.Namespace, Name: source.Name},
		Spec:       v1alpha1.CredentialSpec{Type: of, Scope: scope, SecretRef: v1alpha1.SecretReference{Name: source.Name}},
	}
}

func (c *cluster) create(tb testing.TB, objects ...client.Object) {
	tb.Helper()
	for _, object := range objects {
		object.SetUID("") // is the API server's to give
		if err := c.Client().Create(tb.Context(), object); err != nil {
			tb.Fatalf("creating %T %s/%s: %v", object, object.GetNamespace(), object.GetName(), err)
		}
	}
}

// awaitInOrder waits until a Credential's status says that all is well.
func (c *cluster) awaitInOrder(tb testing.TB, of *v1alpha1.Credential) {
	tb.Helper()
	c.await(tb, "the status of credential "+of.Name, func(ctx context.Context) (bool, error) {
		err := c.Client().Get(ctx, client.ObjectKeyFromObject(of), of)
		return of.Status.State == v1alpha1.StateNoIssuesFound, err
	})
}

// awaitGone waits until a Credential does not exist any more.
func (c *cluster) awaitGone(tb testing.TB, of *v1alpha1.Credential) {
	tb.Helper()
	c.await(tb, "credential "+of.Name+" to go", func(ctx context.Context) (bool, error) {
		err := c.Client().Get(ctx, client.ObjectKeyFromObject(of), of)
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
}

func (c *cluster) await(tb testing.TB, what string, condition wait.ConditionWithContextFunc) {
	tb.Helper()
	if err := wait.PollUntilContextTimeout(tb.Context(), 100*time.Millisecond, settledWithin, true, condition); err != nil {
		tb.Fatalf("waiting for %s: %v", what, err)
	}
}
