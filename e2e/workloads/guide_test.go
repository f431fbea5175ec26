// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"context"
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/guide"
)

// TestGuide applies what docs/workloads.md shows.
func TestGuide(t *testing.T) {
	w := newWorld(t, "--repair=carry")
	w.serve("example.com", "v1", "Pipeline", "pipelines")
	page, err := guide.Read("../../docs/workloads.md")
	if err != nil {
		t.Fatal(err)
	}
	objects, err := page.Objects()
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]*unstructured.Unstructured{}
	for _, object := range objects {
		if object.GetKind() == "Deployment" {
			object.SetNamespace(w.namespace)
		}
		w.create(object)
		shown[object.GetKind()] = object
	}
	if got, _, _ := unstructured.NestedString(shown["Deployment"].Object, "spec", "template", "metadata", "annotations", credentials); got != "openai" {
		t.Errorf("the template of the Deployment names %q", got)
	}
	told := &v1alpha1.WorkloadKind{}
	told.Name = shown["WorkloadKind"].GetName()
	w.eventually("the WorkloadKind is ready", func(ctx context.Context) error {
		if err := w.Get(ctx, client.ObjectKeyFromObject(told), told); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(told.Status.Conditions, v1alpha1.ConditionReady) {
			return errors.New("it is not")
		}
		return nil
	})
	if err := w.Delete(t.Context(), told); err != nil {
		t.Fatal(err)
	}
}
