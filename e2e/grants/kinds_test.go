// SPDX-License-Identifier: Apache-2.0

package grants

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/workload"
)

// usersGroup is the group of the kinds that a user of this cluster tells of. Rights on
// them are the user's to give.
const usersGroup = "example.com"

// workloads has a workload of every kind that is not carried, and two WorkloadKinds.
func (s *story) workloads() {
	kinds := slices.DeleteFunc(slices.Concat(workload.BuiltIn(), workload.ThirdParty()), func(k workload.Kind) bool { return !k.Carries || k.OnlyNew })
	for _, kind := range workload.ThirdParty() {
		s.serve(kind.Group, kind.Versions[0], kind.Kind, kind.Resource)
	}
	for _, kind := range []string{"Gizmo", "Gadget"} {
		s.serve(usersGroup, "v1", kind, strings.ToLower(kind)+"s")
	}
	var objects []*unstructured.Unstructured
	cluster.StopCredence()
	for i := range kinds {
		object := uncarried(&kinds[i])
		s.eventually("a "+kinds[i].String(), func(ctx context.Context) error { return client.IgnoreAlreadyExists(s.client.Create(ctx, object)) })
		objects = append(objects, object)
	}
	if err := cluster.StartCredence(s.Context()); err != nil {
		s.Fatal(err)
	}
	for i, object := range objects {
		s.eventually("the "+kinds[i].String()+" to be carried", func(ctx context.Context) error {
			if err := s.client.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
				return err
			}
			if object.GetAnnotations()[v1alpha1.AnnotationCarried] == "" {
				return errors.New("it is not")
			}
			return nil
		})
	}
	s.create(&rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "gizmos", Labels: map[string]string{v1alpha1.LabelAggregateToController: "true"}},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{usersGroup}, Resources: []string{"gizmos", "gadgets"}, Verbs: []string{"get", "list", "watch", "patch"}}},
	})
	for _, kind := range []string{"Gizmo", "Gadget"} {
		told := &v1alpha1.WorkloadKind{
			ObjectMeta: metav1.ObjectMeta{Name: strings.ToLower(kind)},
			Spec:       v1alpha1.WorkloadKindSpec{APIVersion: usersGroup + "/v1", Kind: kind, PodTemplatePaths: []string{".spec.template"}},
		}
		s.create(told)
		s.wait(told, "the WorkloadKind", func() bool { return meta.IsStatusConditionTrue(told.Status.Conditions, v1alpha1.ConditionReady) })
	}
}

// forgetKinds removes the WorkloadKinds, and so what was made for them.
func (s *story) forgetKinds() {
	if err := s.client.DeleteAllOf(s.Context(), &v1alpha1.WorkloadKind{}); err != nil {
		s.Fatal(err)
	}
}

// serve has the API server serve a kind that keeps whatever is in its objects.
func (s *story) serve(group, version, kind, plural string) {
	open := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	s.create(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": plural + "." + group},
		"spec": map[string]any{
			"group": group, "scope": "Namespaced",
			"names":    map[string]any{"plural": plural, "singular": strings.ToLower(kind), "kind": kind, "listKind": kind + "List"},
			"versions": []any{map[string]any{"name": version, "served": true, "storage": true, "schema": map[string]any{"openAPIV3Schema": open}}},
		},
	}})
}

// uncarried is an object of a kind that names a credential, and whose first template
// does not.
func uncarried(kind *workload.Kind) *unstructured.Unstructured {
	labels := map[string]any{"app": "uncarried"}
	pod := map[string]any{
		"metadata": map[string]any{"labels": labels},
		"spec":     map[string]any{"containers": []any{map[string]any{"name": "main", "image": "registry.example.com/app"}}},
	}
	var inner any = pod
	steps := kind.Paths[0].Steps()
	for _, step := range slices.Backward(steps) {
		switch {
		case step.Items:
			inner = []any{inner}
		case step.Field != "":
			inner = map[string]any{step.Field: inner}
		default:
			inner = map[string]any{"one": inner}
		}
	}
	object := &unstructured.Unstructured{Object: inner.(map[string]any)}
	object.SetAPIVersion(kind.APIVersion())
	object.SetKind(kind.Kind)
	object.SetNamespace(project)
	object.SetName(fmt.Sprintf("uncarried-%s", strings.ToLower(kind.Kind)))
	object.SetAnnotations(map[string]string{v1alpha1.AnnotationCredentials: "shared"})
	spec := object.Object["spec"].(map[string]any)
	switch kind.Kind {
	case "ReplicationController":
		spec["selector"], spec["replicas"] = labels, int64(0)
	case "Deployment", "ReplicaSet", "StatefulSet":
		spec["selector"], spec["replicas"] = map[string]any{"matchLabels": labels}, int64(0)
	case "DaemonSet":
		spec["selector"] = map[string]any{"matchLabels": labels}
		pod["spec"].(map[string]any)["nodeSelector"] = map[string]any{"no": "where"}
	case "CronJob":
		spec["schedule"], spec["suspend"] = "@daily", true
		pod["spec"].(map[string]any)["restartPolicy"] = "Never"
	}
	return object
}
