// SPDX-License-Identifier: Apache-2.0

package deletes

import (
	"context"
	"errors"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

const (
	system = "credence-credentials"
	teamA  = "team-a"
	teamB  = "team-b"
)

// editors may do all that RBAC can allow them in every namespace, and widen
// credentials to the cluster; forcers may force besides. deleters may only delete.
const (
	editors  = "editors"
	forcers  = "forcers"
	deleters = "deleters"
)

// prepare makes the rights, projects and Secrets.
func prepare(ctx context.Context) error {
	all := []string{"get", "list", "create", "update", "patch", "delete", "deletecollection"}
	for group, rules := range map[string][]rbacv1.PolicyRule{
		editors: {
			{APIGroups: []string{"", "apps"}, Resources: []string{"secrets", "configmaps", "namespaces", "deployments"}, Verbs: all},
			{APIGroups: []string{v1alpha1.Group}, Resources: []string{"credentials", "environments", "datasources", "workloadtemplates"}, Verbs: all},
			{APIGroups: []string{v1alpha1.Group}, Resources: []string{"clusters"}, Verbs: []string{"propagate"}},
		},
		deleters: {{APIGroups: []string{v1alpha1.Group}, Resources: []string{"credentials"}, Verbs: []string{"delete"}}},
		forcers:  {{APIGroups: []string{v1alpha1.Group}, Resources: []string{"clusters", "departments", "projects"}, Verbs: []string{"forcedelete"}}},
	} {
		name := "test:" + group
		if err := create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group}},
		}); err != nil {
			return err
		}
	}
	if err := create(ctx, project(teamA), project(teamB), source(system, "key", "run.ai/cluster-wide", "true")); err != nil {
		return err
	}
	jane, err := connect("jane", nil, editors)
	if err != nil {
		return err
	}
	return eventually(ctx, "jane has her rights", func(ctx context.Context) error {
		return jane.List(ctx, &v1alpha1.CredentialList{}, client.InNamespace(teamA))
	})
}

func create(ctx context.Context, objects ...client.Object) error {
	for _, object := range objects {
		if err := cluster.Client().Create(ctx, object); err != nil {
			return fmt.Errorf("creating %T %s: %w", object, object.GetName(), err)
		}
	}
	return nil
}

// made creates objects as the administrator.
func made(t *testing.T, objects ...client.Object) {
	t.Helper()
	if err := create(t.Context(), objects...); err != nil {
		t.Fatal(err)
	}
}

// warnings takes what the API server warns of.
type warnings struct{ all []string }

func (w *warnings) HandleWarningHeader(_ int, _, text string) { w.all = append(w.all, text) }

// connect connects as somebody. Without a taker, warnings are dropped.
func connect(user string, taker *warnings, groups ...string) (client.Client, error) {
	config := rest.CopyConfig(cluster.Plane().Config())
	config.WarningHandler = rest.NoWarnings{}
	if taker != nil {
		config.WarningHandler = taker
	}
	if user != "" {
		config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	}
	return client.New(config, client.Options{Scheme: cluster.Client().Scheme(), Mapper: cluster.Client().RESTMapper()})
}

func as(t *testing.T, user string, groups ...string) client.Client {
	t.Helper()
	c, err := connect(user, nil, groups...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// jane may do all that is not for a right of our own to say.
func jane(t *testing.T) client.Client { return as(t, "jane", editors) }

func project(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1alpha1.LabelProject: name}}}
}

// source is a Secret made in advance, with more labels.
func source(namespace, name string, labels ...string) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{v1alpha1.LabelSourceType: "generic"}},
		StringData: map[string]string{"api-key": "not-a-secret"},
	}
	for i := 0; i+1 < len(labels); i += 2 {
		secret.Labels[labels[i]] = labels[i+1]
	}
	return secret
}

// wide is a credential of the cluster, and narrow one of a project.
func wide(name, secret string) *v1alpha1.Credential {
	c := narrow(system, name, secret)
	c.Spec.Scope.Level = v1alpha1.ScopeCluster
	return c
}

func narrow(namespace, name, secret string) *v1alpha1.Credential {
	return &v1alpha1.Credential{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.CredentialSpec{
			Type: v1alpha1.Generic, Scope: v1alpha1.Scope{Level: v1alpha1.ScopeProject}, SecretRef: v1alpha1.SecretReference{Name: secret},
		},
	}
}

func head() v1alpha1.AssetHead {
	return v1alpha1.AssetHead{Scope: v1alpha1.Scope{Level: v1alpha1.ScopeProject}}
}

// web is a Deployment without pods that asks for something.
func web(namespace, name, annotation, value string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{annotation: value}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "example.com/web:1"}}},
			},
		},
	}
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

// usedBy reads what a status says of users.
func usedBy(ctx context.Context, object client.Object) (*v1alpha1.UsedBy, error) {
	if err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return nil, err
	}
	switch one := object.(type) {
	case *v1alpha1.Credential:
		return &one.Status.UsedBy, nil
	case *v1alpha1.Environment:
		return &one.Status.UsedBy, nil
	case *v1alpha1.DataSource:
		return &one.Status.UsedBy, nil
	case *v1alpha1.WorkloadTemplate:
		return &one.Status.UsedBy, nil
	}
	return nil, fmt.Errorf("a %T has no users", object)
}

// used waits until a status says how many use an object.
func used(t *testing.T, object client.Object, total int32) {
	t.Helper()
	poll(t, fmt.Sprintf("%T %s has %d users", object, object.GetName(), total), func(ctx context.Context) error {
		found, err := usedBy(ctx, object)
		if err == nil && found.Total != total {
			err = fmt.Errorf("it says %+v", *found)
		}
		return err
	})
}

// gone waits until an object is gone.
func gone(t *testing.T, object client.Object) {
	t.Helper()
	poll(t, fmt.Sprintf("%T %s is gone", object, object.GetName()), func(ctx context.Context) error {
		err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(object), object)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("it is still there"), err)
	})
}

// stays says that an object is there and is not being deleted.
func stays(t *testing.T, object client.Object) {
	t.Helper()
	found := object.DeepCopyObject().(client.Object)
	if err := cluster.Client().Get(t.Context(), client.ObjectKeyFromObject(object), found); err != nil || found.GetDeletionTimestamp() != nil {
		t.Errorf("%T %s is going: %v", object, object.GetName(), err)
	}
}
