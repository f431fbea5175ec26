// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"context"
	"fmt"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/workload"
)

// serve has the API server serve a kind that keeps whatever is in its objects.
func (w *world) serve(group, version, kind, plural string) {
	w.Helper()
	open := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	w.create(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": plural + "." + group},
		"spec": map[string]any{
			"group": group, "scope": "Namespaced",
			"names":    map[string]any{"plural": plural, "singular": strings.ToLower(kind), "kind": kind, "listKind": kind + "List"},
			"versions": []any{map[string]any{"name": version, "served": true, "storage": true, "schema": map[string]any{"openAPIV3Schema": open}}},
		},
	}})
}

func (w *world) custom(apiVersion, kind, name, spec string) *unstructured.Unstructured {
	w.Helper()
	object := &unstructured.Unstructured{}
	text := fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"namespace":%q,"name":%q},"spec":%s}`, apiVersion, kind, w.namespace, name, spec)
	if err := object.UnmarshalJSON([]byte(text)); err != nil {
		w.Fatal(err)
	}
	return object
}

const containers = `"spec":{"containers":[{"name":"main","image":"registry.example.com/main"}]}`

// TestKindsOfOthers: what is known of them, by the table and by a WorkloadKind, is true
// of a real API server: annotations reach the templates, and who uses what is known.
func TestKindsOfOthers(t *testing.T) {
	w := newWorld(t, "--repair=carry")
	w.serve("ray.io", "v1", "RayCluster", "rayclusters")
	w.serve("example.com", "v1", "Gizmo", "gizmos")
	ray := w.custom("ray.io/v1", "RayCluster", "ray", `{"headGroupSpec":{"template":{`+containers+`}},"workerGroupSpecs":[{"template":{`+containers+`}}]}`)
	ray.SetAnnotations(map[string]string{credentials: "openai"})
	gizmo := w.custom("example.com/v1", "Gizmo", "gizmo", `{"replicas":{"main":{"template":{`+containers+`}}}}`)
	for _, object := range []client.Object{ray, gizmo} { // one by one: what was created cannot be again
		w.eventually("its kind is served", func(ctx context.Context) error { return w.Create(ctx, object) })
	}
	carriedTo := func(object *unstructured.Unstructured, paths ...string) error {
		known := workload.Kind{}
		for _, text := range paths {
			path, err := workload.ParsePath(text)
			if err != nil {
				return err
			}
			known.Paths = append(known.Paths, path)
		}
		for _, template := range known.Find(object.Object) {
			if got, _, _ := unstructured.NestedString(template, "metadata", "annotations", credentials); got != "openai" {
				return fmt.Errorf("a template of the %s names %q", object.GetKind(), got)
			}
		}
		return nil
	}
	// The API server may have asked nobody about a kind that was a moment old; then the
	// controller carries.
	w.eventually("the RayCluster's templates have it", func(ctx context.Context) error {
		if err := w.Get(ctx, client.ObjectKeyFromObject(ray), ray); err != nil {
			return err
		}
		return carriedTo(ray, ".spec.headGroupSpec.template", ".spec.workerGroupSpecs[*].template")
	})

	told := &v1alpha1.WorkloadKind{
		ObjectMeta: metav1.ObjectMeta{Name: "gizmos"},
		Spec:       v1alpha1.WorkloadKindSpec{APIVersion: "example.com/v1", Kind: "Gizmo", PodTemplatePaths: []string{".spec.replicas.*.template"}},
	}
	w.create(told)
	becomes := func(reason string) {
		t.Helper()
		w.eventually("the WorkloadKind is "+reason, func(ctx context.Context) error {
			if err := w.Get(ctx, client.ObjectKeyFromObject(told), told); err != nil {
				return err
			}
			condition := meta.FindStatusCondition(told.Status.Conditions, v1alpha1.ConditionReady)
			if condition == nil || condition.Reason != reason {
				return fmt.Errorf("it is %+v", condition)
			}
			return nil
		})
	}
	becomes(v1alpha1.ReasonNoRights)
	w.create(&rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "gizmos-for-credence", Labels: map[string]string{v1alpha1.LabelAggregateToController: "true"}},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"example.com"}, Resources: []string{"gizmos"}, Verbs: []string{"get", "list", "watch", "patch"}}},
	})
	becomes(v1alpha1.ReasonFollowed)
	w.eventually("the webhook is asked about Gizmos", func(ctx context.Context) error {
		show := gizmo.DeepCopy() // which nobody but the webhook could carry
		show.SetAnnotations(map[string]string{credentials: "openai"})
		if err := w.Update(ctx, show, client.DryRunAll); err != nil {
			return err
		}
		return carriedTo(show, ".spec.replicas.*.template")
	})
	w.annotate(gizmo, credentials, "openai")
	if err := carriedTo(gizmo, ".spec.replicas.*.template"); err != nil {
		t.Error(err)
	}

	// While nobody is asked, the controller carries, with the rights of the user's role.
	stops("webhook")
	w.annotate(gizmo, credentials, "")
	other := w.custom("example.com/v1", "Gizmo", "other", `{"replicas":{"main":{"template":{`+containers+`}}}}`)
	other.SetAnnotations(map[string]string{credentials: "openai"})
	w.create(other)
	w.eventually("the other Gizmo's template has it", func(ctx context.Context) error {
		if err := w.Get(ctx, client.ObjectKeyFromObject(other), other); err != nil {
			return err
		}
		return carriedTo(other, ".spec.replicas.*.template")
	})
	w.usedBy("Gizmo "+w.namespace+"/other", "RayCluster "+w.namespace+"/ray")

	if err := w.Delete(t.Context(), told); err != nil {
		t.Fatal(err)
	}
	w.usedBy("RayCluster " + w.namespace + "/ray")
	runs(t, "webhook")
}

// usedBy waits until the status of the credential names these users.
func (w *world) usedBy(want ...string) {
	w.Helper()
	w.eventually("the status names the users", func(ctx context.Context) error {
		openai := &v1alpha1.Credential{ObjectMeta: w.named("openai")}
		if err := w.Get(ctx, client.ObjectKeyFromObject(openai), openai); err != nil {
			return err
		}
		if got := strings.Join(openai.Status.UsedBy.Names, ", "); got != strings.Join(want, ", ") {
			return fmt.Errorf("they are %s", got)
		}
		return nil
	})
}
