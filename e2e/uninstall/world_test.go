// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

const (
	system = "credence-credentials"
	home   = "research-home"
	teamA  = "team-a" // of the department
	teamB  = "team-b"

	// within bounds what hangs. goesWithin is how soon a namespace is gone that is deleted
	// when Credence is.
	within     = time.Minute
	goesWithin = 30 * time.Second
)

// world is a cluster in which everybody has a credential.
type world struct {
	*testing.T
	client.Client
	// credentials are one of each scope, the last with a source that was made with it.
	credentials []*v1alpha1.Credential
	web         *appsv1.Deployment
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, Client: cluster.Client()}
	w.create(
		namespace(home, v1alpha1.LabelDepartmentHome, "research"),
		namespace(teamA, v1alpha1.LabelProject, "a", v1alpha1.LabelDepartment, "research"),
		namespace(teamB, v1alpha1.LabelProject, "b"),
		source(system, "openai", v1alpha1.LabelSourceClusterWide, "true"),
		source(home, "bucket", v1alpha1.LabelSourceDepartment, "research"),
		source(teamA, "own"),
	)
	made := source(teamB, "made", v1alpha1.LabelSourceOf, "made")
	delete(made.Labels, v1alpha1.LabelSourceType)
	made.Annotations = map[string]string{v1alpha1.AnnotationPending: "true"}
	w.credentials = []*v1alpha1.Credential{
		credential(system, "openai", v1alpha1.Scope{Level: v1alpha1.ScopeCluster}),
		credential(home, "bucket", v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: "research"}),
		credential(teamA, "own", v1alpha1.Scope{Level: v1alpha1.ScopeProject}),
		credential(teamB, "made", v1alpha1.Scope{Level: v1alpha1.ScopeProject}),
	}
	w.create(made)
	for _, c := range w.credentials {
		w.create(c)
	}
	w.web = web()
	w.create(w.web)
	w.kind()
	w.settled()
	w.eventually("the workload runs", func(ctx context.Context) error {
		if pods, err := w.pods(ctx); len(pods) == 0 {
			return errors.Join(errors.New("it has no pod"), err)
		}
		return nil
	})
	return w
}

// settled waits until all credentials are spread, and held where copies or sources hang
// on them.
func (w *world) settled() {
	w.Helper()
	for at, c := range w.credentials {
		w.eventually(c.Name+" is spread", func(ctx context.Context) error {
			if err := w.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
				return err
			}
			held := slices.Contains(c.Finalizers, v1alpha1.Finalizer)
			if c.Status.State != v1alpha1.StateNoIssuesFound || c.Status.Namespaces.Desired != c.Status.Namespaces.Ready || held != (at != 2) {
				return fmt.Errorf("its finalizers are %v, and its status %+v", c.Finalizers, c.Status)
			}
			return nil
		})
	}
}

func namespace(name string, labels ...string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: pairs(labels)}}
}

func pairs(all []string) map[string]string {
	labels := map[string]string{}
	for i := 0; i+1 < len(all); i += 2 {
		labels[all[i]] = all[i+1]
	}
	return labels
}

func source(namespace, name string, labels ...string) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: pairs(labels)},
		StringData: map[string]string{name: "not-a-secret"}, // a variable of each
	}
	secret.Labels[v1alpha1.LabelSourceType] = "generic"
	return secret
}

// credential is one with the source of its name, whose changes restart workloads.
func credential(namespace, name string, scope v1alpha1.Scope) *v1alpha1.Credential {
	c := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	c.Spec.Type, c.Spec.Scope, c.Spec.SecretRef.Name = v1alpha1.Generic, scope, name
	c.Spec.Rotation = &v1alpha1.Rotation{Restart: true}
	return c
}

// web is a workload that uses credentials of all scopes.
func web() *appsv1.Deployment {
	labels := map[string]string{"app": "web"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: teamA, Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{v1alpha1.AnnotationCredentials: "openai, bucket, own"}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/web:1"}}},
			},
		},
	}
}

// kind has the controller make a webhook configuration of its own, for a kind of others.
func (w *world) kind() {
	w.Helper()
	crd := &apiextensionsv1.CustomResourceDefinition{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition"},
		ObjectMeta: metav1.ObjectMeta{Name: "gizmos.example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "example.com", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "gizmos", Kind: "Gizmo"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", XPreserveUnknownFields: new(true)}},
			}},
		},
	}
	w.create(asMap(w.T, crd))
	kind := &v1alpha1.WorkloadKind{ObjectMeta: metav1.ObjectMeta{Name: "gizmos"}}
	kind.Spec.APIVersion, kind.Spec.Kind, kind.Spec.PodTemplatePaths = "example.com/v1", "Gizmo", []string{".spec.template"}
	w.create(kind)
	w.eventually("the webhook is asked about it", func(ctx context.Context) error {
		return w.Get(ctx, client.ObjectKey{Name: "credence-workload-kinds"}, configuration())
	})
}

func (w *world) create(objects ...client.Object) {
	w.Helper()
	for _, object := range objects {
		if err := w.Create(w.Context(), object); err != nil {
			w.Fatalf("creating %T %s: %v", object, object.GetName(), err)
		}
	}
}

// eventually polls until attempt gives no error.
func (w *world) eventually(what string, attempt func(context.Context) error) {
	w.Helper()
	w.soon(within, what, attempt)
}

func (w *world) soon(within time.Duration, what string, attempt func(context.Context) error) {
	w.Helper()
	var last error
	err := wait.PollUntilContextTimeout(w.Context(), 50*time.Millisecond, within, true, func(context.Context) (bool, error) {
		last = attempt(w.Context())
		return last == nil, nil
	})
	if err != nil {
		w.Fatalf("waiting until %s: %v", what, last)
	}
}

// pods are those of the workload, by their UIDs.
func (w *world) pods(ctx context.Context) (uids []types.UID, err error) {
	pods := &corev1.PodList{}
	err = w.List(ctx, pods, client.InNamespace(teamA), client.MatchingLabels{"app": "web"})
	for i := range pods.Items {
		uids = append(uids, pods.Items[i].UID)
	}
	return uids, err
}

// copies are the versions of all copies, by where and which they are.
func (w *world) copies(ctx context.Context) (map[string]string, error) {
	secrets := &corev1.SecretList{}
	err := w.List(ctx, secrets, client.HasLabels{v1alpha1.LabelCopyOf})
	versions := map[string]string{}
	for i := range secrets.Items {
		s := &secrets.Items[i]
		versions[s.Namespace+"/"+s.Name] = string(s.UID) + " " + s.ResourceVersion
	}
	return versions, err
}

// gone wants an object not to be there.
func (w *world) gone(ctx context.Context, object client.Object) error {
	err := w.Get(ctx, client.ObjectKeyFromObject(object), object)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return errors.Join(fmt.Errorf("%T %s is still there", object, object.GetName()), err)
}

func asMap(t *testing.T, object runtime.Object) client.Object {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		t.Fatal(err)
	}
	return unstructuredOf(content)
}
