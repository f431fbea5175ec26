// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// kind is a type of credential with a source that fits it.
type kind struct {
	label      string
	secretType corev1.SecretType
	data       map[string]string
	name       string // prefix of the Kubernetes name
	copyType   corev1.SecretType
	keys       []v1alpha1.SecretKey
	registries []string
}

var kinds = map[v1alpha1.CredentialType]kind{
	v1alpha1.DockerRegistry: {
		label: "docker-registry", secretType: corev1.SecretTypeDockerConfigJson, copyType: corev1.SecretTypeDockerConfigJson,
		data:       map[string]string{".dockerconfigjson": `{"auths":{"registry.example.com":{"auth":"bm90LWE6c2VjcmV0"},"ghcr.io":{"auth":"bm90LWE6c2VjcmV0"}}}`},
		name:       "dockerregistry-",
		keys:       []v1alpha1.SecretKey{{Key: ".dockerconfigjson", Role: ".dockerconfigjson"}},
		registries: []string{"registry.example.com", "ghcr.io"},
	},
	v1alpha1.AccessKey: {
		label: "access-key", secretType: corev1.SecretTypeOpaque, copyType: corev1.SecretTypeOpaque,
		data: map[string]string{"AccessKeyId": "not-an-id", "SecretKey": "not-a-secret"},
		name: "accesskey-",
		keys: []v1alpha1.SecretKey{{Key: "AccessKeyId", Role: "accessKeyId"}, {Key: "SecretKey", Role: "secretAccessKey"}},
	},
	v1alpha1.Password: {
		label: "password", secretType: corev1.SecretTypeBasicAuth, copyType: corev1.SecretTypeOpaque,
		data: map[string]string{"username": "ann", "password": "not-a-secret"},
		name: "password-",
		keys: []v1alpha1.SecretKey{{Key: "password", Role: "password"}, {Key: "username", Role: "username"}},
	},
	v1alpha1.SSHKey: {
		label: "generic", secretType: corev1.SecretTypeSSHAuth, copyType: corev1.SecretTypeOpaque,
		data: map[string]string{"ssh-privatekey": "not-a-key", "known_hosts": "example.com not-a-key"},
		name: "sshkey-",
		keys: []v1alpha1.SecretKey{{Key: "known_hosts", Role: "knownHosts"}, {Key: "ssh-privatekey", Role: "privateKey"}},
	},
	v1alpha1.Generic: {
		label: "generic", secretType: corev1.SecretTypeOpaque, copyType: corev1.SecretTypeOpaque,
		data: map[string]string{"api-key": "not-a-secret-1", "region": "eu"},
		name: "genericsecret-",
		keys: []v1alpha1.SecretKey{{Key: "api-key"}, {Key: "region"}},
	},
}

// source makes a Secret that may be the source of a credential.
func (w *world) source(namespace, name string, k kind, scope v1alpha1.Scope) *corev1.Secret {
	w.Helper()
	labels := map[string]string{v1alpha1.LabelSourceType: k.label, "argocd.argoproj.io/instance": "platform"}
	switch scope.Level {
	case v1alpha1.ScopeCluster:
		labels[v1alpha1.LabelSourceClusterWide] = "true"
	case v1alpha1.ScopeDepartment:
		labels[v1alpha1.LabelSourceDepartment] = scope.Department
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels,
			Annotations: map[string]string{"replicator.example.com/to": "everywhere"}},
		Type: k.secretType, Data: bytes(k.data),
	}
	w.must(w.Create(w.Context(), secret))
	return secret
}

func bytes(data map[string]string) map[string][]byte {
	values := map[string][]byte{}
	for key, value := range data {
		values[key] = []byte(value)
	}
	return values
}

// credential makes a Credential whose source has the same name.
func (w *world) credential(namespace, name string, t v1alpha1.CredentialType, scope v1alpha1.Scope) *v1alpha1.Credential {
	w.Helper()
	c := &v1alpha1.Credential{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.CredentialSpec{Type: t, Scope: scope, SecretRef: v1alpha1.SecretReference{Name: name}},
	}
	w.must(w.Create(w.Context(), c))
	return c
}

var (
	clusterScope  = v1alpha1.Scope{Level: v1alpha1.ScopeCluster}
	researchScope = v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: "research"}
	projectScope  = v1alpha1.Scope{Level: v1alpha1.ScopeProject}
)

// generic makes a generic credential for the cluster, with its source.
func (w *world) generic(name string) *v1alpha1.Credential {
	w.Helper()
	w.source(w.layout.SystemNamespace, name, kinds[v1alpha1.Generic], clusterScope)
	return w.credential(w.layout.SystemNamespace, name, v1alpha1.Generic, clusterScope)
}

func TestFiveTypesAtThreeScopes(t *testing.T) {
	w := newWorld(t)
	a, b := w.project("a", "research"), w.project("b", "sales")
	w.namespace("other", nil)
	home := w.namespace("home", map[string]string{v1alpha1.LabelDepartmentHome: "research"})
	w.run()
	for level, at := range map[string]struct {
		scope v1alpha1.Scope
		home  string
		reach []string
	}{
		"cluster":    {clusterScope, w.layout.SystemNamespace, []string{a, b}},
		"department": {researchScope, w.layout.SystemNamespace, []string{a}},
		"home":       {researchScope, home, []string{a}},
		"project":    {projectScope, b, []string{b}},
	} {
		for kindName, k := range kinds {
			t.Run(fmt.Sprintf("%s/%s", level, kindName), func(t *testing.T) {
				w := &world{T: t, Client: w.Client, layout: w.layout}
				name := fmt.Sprintf("%s-%s", level, kindName)
				source := w.source(at.home, name, k, at.scope)
				c := w.credential(at.home, name, kindName, at.scope)
				status := w.spread(c, int32(len(at.reach)))

				if diff := cmp.Diff(k.keys, status.Keys); diff != "" {
					t.Errorf("keys (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(k.registries, status.Registries); diff != "" {
					t.Errorf("registries (-want +got):\n%s", diff)
				}
				if r := ready(status); r.Status != metav1.ConditionTrue || r.Reason != v1alpha1.ReasonPropagated || r.ObservedGeneration != 1 {
					t.Errorf("Ready is %+v", r)
				}
				if at.scope.Level == v1alpha1.ScopeProject {
					if status.KubernetesName != name {
						t.Errorf("the Kubernetes name is %s, not the source's", status.KubernetesName)
					}
					return
				}
				if status.KubernetesName != k.name+name {
					t.Errorf("the Kubernetes name is %s", status.KubernetesName)
				}
				for _, namespace := range at.reach {
					w.checkCopy(w.secret(namespace, k.name+name), c, source, k, status.Fingerprint)
				}
			})
		}
	}
	if found := w.copiesIn(w.prefix + "-other"); len(found) > 0 {
		t.Errorf("a namespace that is no project has %v", found)
	}
	if found := w.copiesIn(b); len(found) != len(kinds) {
		t.Errorf("a project outside the department has %v", found)
	}
}

// checkCopy checks a copy for all that the design says of one, and nothing else.
func (w *world) checkCopy(got *corev1.Secret, c *v1alpha1.Credential, source *corev1.Secret, k kind, fingerprint string) {
	w.Helper()
	if got == nil {
		w.Fatal("there is no copy")
	}
	want := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: got.Namespace, Name: k.name + c.Name,
			Labels: map[string]string{"credence.dev/copy-of": c.Name, "app.kubernetes.io/managed-by": "credence"},
			Annotations: map[string]string{
				"credence.dev/copy-of-uid": string(c.UID), "credence.dev/fingerprint": fingerprint,
			},
		},
		Type: k.copyType, Data: source.Data,
	}
	delete(got.Annotations, v1alpha1.AnnotationRotatedAt) // see TestRotationMarks
	managers := got.ManagedFields
	got.UID, got.ResourceVersion, got.CreationTimestamp, got.ManagedFields = "", "", metav1.Time{}, nil
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("copy (-want +got):\n%s", diff)
	}
	for _, manager := range managers {
		if manager.Manager != v1alpha1.FieldManager {
			w.Errorf("%s is a manager of the copy", manager.Manager)
		}
	}
}

// copiesIn returns the names of the copies in a namespace.
func (w *world) copiesIn(namespace string) []string {
	w.Helper()
	var list corev1.SecretList
	w.must(w.List(w.Context(), &list, client.InNamespace(namespace), client.HasLabels{v1alpha1.LabelCopyOf}))
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names
}
