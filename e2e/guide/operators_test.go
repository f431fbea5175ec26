// SPDX-License-Identifier: Apache-2.0

package guide

import (
	"context"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/credence-dev/credence/e2e/chart"
	"github.com/credence-dev/credence/e2e/local"
)

// serveOthers has the API server serve the kinds of other operators that the guide
// shows, whatever is in their objects.
func serveOthers(ctx context.Context, cluster *local.Cluster) error {
	text, err := os.ReadFile("testdata/kinds.yaml")
	if err != nil {
		return err
	}
	var kinds []struct{ Group, Version, Kind, Plural, Singular string }
	if err := yaml.UnmarshalStrict(text, &kinds); err != nil {
		return err
	}
	open := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	var definitions []*unstructured.Unstructured
	for _, k := range kinds {
		definitions = append(definitions, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
			"metadata": map[string]any{"name": k.Plural + "." + k.Group},
			"spec": map[string]any{
				"group": k.Group, "scope": "Namespaced",
				"names":    map[string]any{"plural": k.Plural, "singular": k.Singular, "kind": k.Kind, "listKind": k.Kind + "List"},
				"versions": []any{map[string]any{"name": k.Version, "served": true, "storage": true, "schema": map[string]any{"openAPIV3Schema": open}}},
			},
		}})
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "flux-system"}}
	if err := cluster.Client().Create(ctx, namespace); err != nil {
		return err
	}
	return chart.Apply(ctx, cluster.Client(), local.InstallNamespace, definitions)
}

// operate does what the operator of an object does: it writes a Secret with the labels
// that the object says. Of a HelmRelease it renders the chart with the values.
func operate(ctx context.Context, c client.Client, object *unstructured.Unstructured) error {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: object.GetNamespace(), Name: object.GetName()}, StringData: map[string]string{}}
	spec, _, _ := unstructured.NestedMap(object.Object, "spec")
	var template map[string]any
	switch object.GetKind() {
	case "HelmRelease":
		values, _, _ := unstructured.NestedMap(spec, "values")
		_, err := chart.Render(os.DirFS("../../charts/credence"), chart.Release{Name: "credence", Namespace: local.InstallNamespace, KubeVersion: local.KubeVersion, Values: values})
		return err
	case "ExternalSecret":
		secret.Name, _, _ = unstructured.NestedString(spec, "target", "name")
		template, _, _ = unstructured.NestedMap(spec, "target", "template", "metadata")
		data, _, _ := unstructured.NestedSlice(spec, "data")
		for _, one := range data {
			key, _, _ := unstructured.NestedString(one.(map[string]any), "secretKey")
			secret.StringData[key] = "not-a-secret"
		}
	case "SealedSecret":
		template, _, _ = unstructured.NestedMap(spec, "template", "metadata")
		data, _, _ := unstructured.NestedMap(spec, "encryptedData")
		for key := range data {
			secret.StringData[key] = "not-a-secret"
		}
	case "VaultStaticSecret":
		template, _, _ = unstructured.NestedMap(spec, "destination")
		secret.Name, _, _ = unstructured.NestedString(template, "name")
		secret.StringData["token"] = "not-a-secret" // what there is in Vault
	default:
		return nil
	}
	secret.Labels, _, _ = unstructured.NestedStringMap(template, "labels")
	if len(secret.Labels) == 0 || len(secret.StringData) == 0 {
		return fmt.Errorf("%s %s says nothing of labels, or of values", object.GetKind(), object.GetName())
	}
	return c.Create(ctx, secret)
}
