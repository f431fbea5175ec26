// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/guide"
)

// TestAssetsGuide applies what docs/inject.md shows of assets, one after the other as a
// reader would, and waits for the pods.
func TestAssetsGuide(t *testing.T) {
	w := newWorld(t)
	w.guideCredentials()
	var assets []*unstructured.Unstructured
	for _, object := range w.shown("../../docs/inject.md", "## Assets") {
		w.create(object)
		if object.GroupVersionKind().Group == v1alpha1.Group {
			assets = append(assets, object)
		}
	}
	if len(assets) != 6 {
		t.Errorf("the guide has %d assets", len(assets))
	}
	for _, asset := range assets {
		w.eventually(asset.GetKind()+" "+asset.GetName()+" is ready", func(ctx context.Context) error {
			if err := w.Get(ctx, client.ObjectKeyFromObject(asset), asset); err != nil {
				return err
			}
			list, _, _ := unstructured.NestedSlice(asset.Object, "status", "conditions")
			if !slices.ContainsFunc(list, func(one any) bool {
				condition, _ := one.(map[string]any)
				return condition["type"] == v1alpha1.ConditionReady && condition["status"] == "True"
			}) {
				return fmt.Errorf("its conditions are %v", list)
			}
			return nil
		})
	}
	for prefix, want := range map[string][]string{
		"training":  {"registry.example.com/pytorch:2.9"},
		"reader":    {"registry.example.com/app:1"},
		"training-": {"credence-fetch-code", "credence-fetch-notebooks", "credence-fetch-images"},
		"nightly-":  {"credence-fetch-code", "registry.example.com/pytorch:2.9"},
	} {
		w.eventually("a pod of "+prefix+" has "+strings.Join(want, ", "), func(ctx context.Context) error { return w.hasPod(ctx, prefix, want) })
	}
}

// guideCredentials are those that the guide's assets name.
func (w *world) guideCredentials() {
	w.Helper()
	openai := &corev1.Secret{ObjectMeta: w.named("openai")}
	if err := w.Patch(w.Context(), openai, client.RawPatch(types.MergePatchType, []byte(`{"stringData":{"api-key":"not-a-secret"}}`))); err != nil {
		w.Fatal(err)
	}
	for name, of := range map[string]struct {
		kind, label string
		values      map[string]string
	}{
		"bucket":     {"access-key", "access-key", map[string]string{"AccessKeyId": "not-an-id", "SecretKey": "not-a-secret"}},
		"gitlab":     {"password", "password", map[string]string{"username": "demo", "password": "not-a-secret"}},
		"deploy-key": {"ssh-key", "generic", map[string]string{"ssh-privatekey": "not-a-key", "known_hosts": "git.example.com not-a-key"}},
	} {
		w.create(&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name, Labels: map[string]string{v1alpha1.LabelSourceType: of.label}},
			StringData: of.values,
		})
		c := &v1alpha1.Credential{ObjectMeta: w.named(name)}
		c.Spec.Type, c.Spec.Scope.Level, c.Spec.SecretRef.Name = v1alpha1.CredentialType(of.kind), v1alpha1.ScopeProject, name
		w.create(c)
	}
	for name, keys := range map[string]int{"openai": 2, "bucket": 2, "gitlab": 2, "deploy-key": 2} {
		w.eventually("credential "+name+" is ready", func(ctx context.Context) error {
			c := &v1alpha1.Credential{}
			if err := w.Get(ctx, types.NamespacedName{Namespace: w.namespace, Name: name}, c); err != nil {
				return err
			}
			if len(c.Status.Keys) != keys || !meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionReady) {
				return fmt.Errorf("its status is %+v", c.Status)
			}
			return nil
		})
	}
}

// shown are the objects in a section of a page, moved into the project.
func (w *world) shown(path, heading string) []*unstructured.Unstructured {
	w.Helper()
	page, err := guide.Read(path)
	if err != nil {
		w.Fatal(err)
	}
	objects, err := page.Section(heading).Objects()
	if err != nil {
		w.Fatal(err)
	}
	for _, object := range objects {
		object.SetNamespace(w.namespace)
	}
	return objects
}

// hasPod looks for a pod whose containers have these names or images.
func (w *world) hasPod(ctx context.Context, prefix string, want []string) error {
	var pods corev1.PodList
	if err := w.List(ctx, &pods, client.InNamespace(w.namespace)); err != nil {
		return err
	}
	for _, pod := range pods.Items {
		var has []string
		for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			has = append(has, container.Name, container.Image)
		}
		missing := slices.ContainsFunc(want, func(one string) bool { return !slices.Contains(has, one) })
		if (pod.Name == prefix || strings.HasSuffix(prefix, "-") && strings.HasPrefix(pod.Name, prefix)) && !missing {
			return nil
		}
	}
	return fmt.Errorf("there is none among %d", len(pods.Items))
}
