// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/credence-dev/credence/injector/workload"
	"github.com/credence-dev/credence/usage"
)

// gizmo is a third-party kind whose pod template is at spec.template.
var gizmo = schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Gizmo"}

func gizmos() *apiextensionsv1.CustomResourceDefinition {
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "gizmos.example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: gizmo.Group, Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "gizmos", Singular: "gizmo", Kind: gizmo.Kind, ListKind: "GizmoList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: gizmo.Version, Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", XPreserveUnknownFields: new(true),
				}},
			}},
		},
	}
}

// installGizmos has the API server serve them until the test ends. Those of a test
// before may still be going.
func (w *world) installGizmos() {
	w.Helper()
	w.eventually("the API server takes the kind", func() string {
		if _, err := envtest.InstallCRDs(config(w.T), envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{gizmos()}}); err != nil {
			return err.Error()
		}
		return ""
	})
	w.Cleanup(func() {
		if err := envtest.UninstallCRDs(config(w.T), envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{gizmos()}}); err != nil {
			w.Error(err)
		}
	})
}

func (w *world) gizmo(name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
		"imagePullSecrets": []any{map[string]any{"name": "dockerregistry-hub"}},
	}}}}}
	o.SetGroupVersionKind(gizmo)
	o.SetNamespace(w.namespace)
	o.SetName(name)
	return o
}

func (w *world) gizmoOptions(config *rest.Config) usage.Options {
	w.Helper()
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		w.Fatal(err)
	}
	mapper, err := apiutil.NewDynamicRESTMapper(config, httpClient)
	if err != nil {
		w.Fatal(err)
	}
	return usage.Options{Mapper: mapper, Kinds: []workload.Kind{gizmoKind(w.T)}}
}

func gizmoKind(t *testing.T, paths ...string) workload.Kind {
	t.Helper()
	kind := workload.Kind{Group: gizmo.Group, Versions: []string{gizmo.Version}, Kind: gizmo.Kind, Carries: true}
	for _, text := range append(paths, ".spec.template") {
		path, err := workload.ParsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		kind.Paths = append(kind.Paths, path)
	}
	return kind
}

// TestKindThatComesLater: a kind that is not there holds up no other, is followed
// when it comes, and holds nothing when it goes.
func TestKindThatComesLater(t *testing.T) {
	w := newWorld(t)
	cfg := config(t)
	w.create(w.deployment())
	w.follow(cfg, w.gizmoOptions(cfg))
	w.synced()
	w.users("Deployment web")
	if got := w.gauge("credence_usage_followed", "Gizmo.example.com"); got != 0 {
		t.Errorf("a kind that is not there is followed: %v", got)
	}
	for range 2 { // it may come back
		install := envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{gizmos()}}
		if _, err := envtest.InstallCRDs(cfg, install); err != nil {
			t.Fatal(err)
		}
		w.eventually("the API server takes one", func() string {
			if err := w.Create(w.Context(), w.gizmo("first")); err != nil {
				return err.Error()
			}
			return ""
		})
		w.users("Deployment web", "Gizmo first")
		if err := envtest.UninstallCRDs(cfg, install); err != nil {
			t.Fatal(err)
		}
		w.users("Deployment web")
	}
}

// TestForbiddenKind: a kind that may not be read holds up no other, and is
// followed when it may.
func TestForbiddenKind(t *testing.T) {
	w := newWorld(t)
	w.installGizmos()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"", "apps", "batch"}, Verbs: []string{"list", "watch"},
		Resources: []string{"pods", "podtemplates", "replicationcontrollers", "serviceaccounts", "daemonsets", "deployments", "replicasets", "statefulsets", "jobs"},
	}}}
	w.create(role, w.deployment(), w.gizmo("first"), &rbacv1.ClusterRoleBinding{
		ObjectMeta: role.ObjectMeta, Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: w.namespace}},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
	})
	cfg := config(t)
	cfg.Impersonate.UserName = w.namespace
	w.follow(cfg, w.gizmoOptions(config(t)))

	// Without cron jobs the index is not complete; the rest is there all the same.
	w.users("Deployment web")
	w.followed("Pod")
	if w.index.Synced() || w.gauge("credence_usage_followed", "CronJob.batch") != 0 {
		t.Error("complete without a built-in kind")
	}
	role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{"batch"}, Resources: []string{"cronjobs"}, Verbs: []string{"list", "watch"}})
	if err := w.Update(t.Context(), role); err != nil {
		t.Fatal(err)
	}
	// Without gizmos it is.
	w.synced()
	w.users("Deployment web")
	if w.gauge("credence_usage_followed", "Gizmo.example.com") != 0 {
		t.Error("a kind that may not be read is followed")
	}
	role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{gizmo.Group}, Resources: []string{"gizmos"}, Verbs: []string{"list", "watch"}})
	if err := w.Update(t.Context(), role); err != nil {
		t.Fatal(err)
	}
	w.users("Deployment web", "Gizmo first")
}

// TestFollowFails: kinds cannot be found without a mapper.
func TestFollowFails(t *testing.T) {
	options := usage.Options{Kinds: []workload.Kind{gizmoKind(t)}}
	if _, err := usage.Follow(&rest.Config{}, usage.NewIndex(), options); err == nil {
		t.Error("no complaint")
	}
}

// TestAddAndRemove: a kind is followed from when it is added, otherwise when its
// paths change, and no longer when it is removed; its uncarried workloads go with it.
func TestAddAndRemove(t *testing.T) {
	w := newWorld(t)
	w.installGizmos()
	other := w.gizmo("other")
	other.Object["spec"] = map[string]any{"workers": []any{map[string]any{"template": other.Object["spec"].(map[string]any)["template"]}}}
	bare := w.gizmo("bare")
	bare.SetAnnotations(map[string]string{"credence.dev/credentials": "unheard"})
	w.create(w.deployment(), w.gizmo("first"), other, bare)
	options := w.gizmoOptions(config(t))
	options.Kinds = nil
	follower := w.follow(config(t), options)
	w.synced()
	w.users("Deployment web")
	uncarried := func(want ...string) {
		t.Helper()
		w.eventually("the uncarried workloads are right", func() string {
			var got []string
			for _, one := range follower.Uncarried() {
				if one.Namespace == w.namespace {
					got = append(got, one.Kind+" "+one.Name)
				}
			}
			return cmp.Diff(want, got)
		})
	}
	uncarried("Deployment web") // annotated, and its template is not

	for range 2 {
		if err := follower.Add(gizmoKind(t)); err != nil {
			t.Fatal(err)
		}
		w.users("Deployment web", "Gizmo bare", "Gizmo first")
		uncarried("Deployment web", "Gizmo bare")
		if err := follower.Add(gizmoKind(t, ".spec.workers[*].template")); err != nil {
			t.Fatal(err)
		}
		w.users("Deployment web", "Gizmo bare", "Gizmo first", "Gizmo other")
		w.eventually("the kind is followed", func() string {
			if !follower.Follows(gizmo.GroupKind()) {
				return "it is not"
			}
			return ""
		})
		follower.Remove(gizmo.GroupKind())
		w.users("Deployment web")
		uncarried("Deployment web")
		if follower.Follows(gizmo.GroupKind()) {
			t.Error("a kind is followed that was removed")
		}
	}

	// It is news when somebody carries, and when one that is not carried goes.
	news := make(chan struct{}, 100)
	follower.NotifyUncarried(func() { news <- struct{}{} })
	web := w.deployment()
	w.remove(web)
	uncarried()
	select {
	case <-news:
	default:
		t.Error("nobody was told")
	}
}
