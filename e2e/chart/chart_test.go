// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/e2e/chart"
	"github.com/credence-dev/credence/e2e/controlplane"
)

var tiny = os.DirFS("testdata/tiny")

func release(values map[string]any) chart.Release {
	return chart.Release{Name: "one", Namespace: "two", KubeVersion: "v1.37.2", Values: values}
}

func TestRender(t *testing.T) {
	manifests, err := chart.Render(tiny, release(map[string]any{"replicas": 2, "greeting": "good day"}))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"CustomResourceDefinition /widgets.tiny.example.com",
		"Namespace /two-extra",
		"PodDisruptionBudget /one",
		"ConfigMap /one",
		"ConfigMap two-extra/one",
		"Deployment two/one",
		"Widget /one",
	}
	if diff := cmp.Diff(want, titles(manifests.Objects)); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Job /one-uninstall"}, titles(manifests.Hooks)); diff != "" {
		t.Errorf("hooks (-want +got):\n%s", diff)
	}
	if got := strings.TrimSpace(manifests.Notes); got != "good day from one" {
		t.Errorf("notes: %q", got)
	}
	for _, object := range manifests.Objects {
		if object.GetKind() == "Deployment" {
			replicas, _, err := unstructured.NestedInt64(object.Object, "spec", "replicas")
			if err != nil || replicas != 2 {
				t.Errorf("replicas: %d %v", replicas, err)
			}
		}
	}
}

func TestRenderDefaults(t *testing.T) {
	manifests, err := chart.Render(tiny, release(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range manifests.Objects {
		if object.GetKind() == "PodDisruptionBudget" {
			t.Error("a document that is empty became an object")
		}
		if object.GetKind() != "ConfigMap" || object.GetNamespace() != "" {
			continue
		}
		data, _, _ := unstructured.NestedStringMap(object.Object, "data")
		if diff := cmp.Diff(map[string]string{"greeting": "hello", "kubeVersion": "v1.37.2"}, data); diff != "" {
			t.Errorf("data (-want +got):\n%s", diff)
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	cases := map[string]struct {
		files fs.FS
		edit  func(*chart.Release)
		want  string
	}{
		"a value against the schema": {tiny, func(r *chart.Release) { r.Values = map[string]any{"replicas": 0} }, "/replicas"},
		"an unknown value":           {tiny, func(r *chart.Release) { r.Values = map[string]any{"replica": 1} }, "replica"},
		"an old cluster":             {tiny, func(r *chart.Release) { r.KubeVersion = "v1.29.4" }, "needs Kubernetes"},
		"no cluster version":         {tiny, func(r *chart.Release) { r.KubeVersion = "" }, "cluster version"},
		"a bad release name":         {tiny, func(r *chart.Release) { r.Name = "No" }, "release name"},
		"no chart":                   {os.DirFS("testdata"), func(*chart.Release) {}, "Chart.yaml"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			r := release(nil)
			test.edit(&r)
			if _, err := chart.Render(test.files, r); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want one that says %q", err, test.want)
			}
		})
	}
}

func titles(objects []*unstructured.Unstructured) []string {
	var all []string
	for _, object := range objects {
		all = append(all, fmt.Sprintf("%s %s/%s", object.GetKind(), object.GetNamespace(), object.GetName()))
	}
	return all
}

// startPlane starts a control plane for one test.
func startPlane(t *testing.T) *controlplane.ControlPlane {
	t.Helper()
	programs, err := controlplane.Ensure(t.Context(), "../../bin/controlplane", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	plane, err := controlplane.Start(t.Context(), controlplane.Options{Programs: programs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	return plane
}

func TestApply(t *testing.T) {
	plane := startPlane(t)
	c, err := client.New(plane.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}

	// Twice: an upgrade changes what it must and makes nothing new.
	for _, replicas := range []int{1, 3} {
		manifests, err := chart.Render(tiny, release(map[string]any{"replicas": replicas}))
		if err != nil {
			t.Fatal(err)
		}
		before := titles(manifests.Objects)
		if err := chart.Apply(t.Context(), c, "two", manifests.Objects); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, titles(manifests.Objects)); diff != "" {
			t.Errorf("the objects were changed (-before +after):\n%s", diff)
		}
		checkApplied(t.Context(), t, c, int64(replicas))
	}
}

func checkApplied(ctx context.Context, t *testing.T, c client.Client, replicas int64) {
	t.Helper()
	key := client.ObjectKey{Namespace: "two", Name: "one"}
	deployment := &appsv1.Deployment{}
	if err := c.Get(ctx, key, deployment); err != nil {
		t.Fatal(err)
	}
	if got := int64(*deployment.Spec.Replicas); got != replicas {
		t.Errorf("%d replicas, want %d", got, replicas)
	}
	for _, entry := range deployment.ManagedFields {
		if entry.Manager != "helm" {
			t.Errorf("fields belong to %q", entry.Manager)
		}
	}
	widget := &unstructured.Unstructured{}
	widget.SetAPIVersion("tiny.example.com/v1")
	widget.SetKind("Widget")
	if err := c.Get(ctx, key, widget); err != nil {
		t.Fatal(err)
	}
	if size, _, _ := unstructured.NestedInt64(widget.Object, "spec", "size"); size != replicas {
		t.Errorf("size %d, want %d", size, replicas)
	}
	for _, namespace := range []string{"two", "two-extra"} {
		if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "one"}, &corev1.ConfigMap{}); err != nil {
			t.Error(err)
		}
	}
}
