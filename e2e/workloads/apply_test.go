// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// manifest is a Deployment as people keep it.
func (w *world) manifest(names string) *unstructured.Unstructured {
	w.Helper()
	web := w.deployment("web")
	web.APIVersion, web.Kind = "apps/v1", "Deployment"
	if names != "" {
		web.Annotations = map[string]string{credentials: names}
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(web)
	if err != nil {
		w.Fatal(err)
	}
	delete(object, "status")
	return &unstructured.Unstructured{Object: object}
}

// TestServerSideApply: who applies a manifest again changes nothing, and sees no
// difference; who takes the annotation out of it detaches.
func TestServerSideApply(t *testing.T) {
	w := newWorld(t)
	apply := func(names string, options ...client.ApplyOption) *unstructured.Unstructured {
		t.Helper()
		object := w.manifest(names)
		options = append(options, client.FieldOwner("gitops"))
		if err := w.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), options...); err != nil {
			t.Fatal(err)
		}
		return object
	}
	first := apply("openai")
	if got, _, _ := unstructured.NestedString(first.Object, "spec", "template", "metadata", "annotations", credentials); got != "openai" {
		t.Fatalf("the template names %q", got)
	}
	web := w.deployment("web")
	w.rolledOut(web, "openai")
	before := web.DeepCopy()
	for range 3 {
		apply("openai")
	}
	w.read(web)
	if web.Generation != before.Generation || !cmp.Equal(web.Spec, before.Spec) {
		t.Errorf("applied again, it is of generation %d, was %d:\n%s", web.Generation, before.Generation, cmp.Diff(before.Spec, web.Spec))
	}
	// What a GitOps controller compares: the object that there would be with the one that
	// there is.
	would := apply("openai", client.DryRunAll)
	live := w.manifest("")
	w.read(live)
	for _, object := range []*unstructured.Unstructured{would, live} {
		object.SetManagedFields(nil)
		object.SetResourceVersion("")
		unstructured.RemoveNestedField(object.Object, "status")
	}
	if diff := cmp.Diff(live.Object, would.Object); diff != "" {
		t.Errorf("there is a difference for ever (-live +would):\n%s", diff)
	}
	apply("")
	w.rolledOut(web, "", "openai")
	if _, listed := web.Annotations[carried]; listed {
		t.Errorf("not detached: %v", web.Annotations)
	}
}

// TestClientSideApply: the same for kubectl apply, which compares with what it applied
// last.
func TestClientSideApply(t *testing.T) {
	w := newWorld(t)
	apply := func(names string) (patch string) {
		t.Helper()
		object := w.manifest(names)
		text, err := json.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		annotations := object.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[corev1.LastAppliedConfigAnnotation] = string(text)
		object.SetAnnotations(annotations)
		modified, err := json.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		live := w.manifest("")
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(live), live); err != nil {
			w.create(object)
			return ""
		}
		current, err := json.Marshal(live.Object)
		if err != nil {
			t.Fatal(err)
		}
		schema, err := strategicpatch.NewPatchMetaFromStruct(appsv1.Deployment{})
		if err != nil {
			t.Fatal(err)
		}
		body, err := strategicpatch.CreateThreeWayMergePatch([]byte(live.GetAnnotations()[corev1.LastAppliedConfigAnnotation]), modified, current, schema, true)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Patch(t.Context(), live, client.RawPatch(types.StrategicMergePatchType, body)); err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	apply("openai")
	web := w.deployment("web")
	w.rolledOut(web, "openai")
	generation := web.Generation
	for range 3 {
		if patch := apply("openai"); patch != "{}" {
			t.Errorf("applied again, there is a difference: %s", patch)
		}
	}
	w.read(web)
	if web.Generation != generation {
		t.Errorf("applied again, it is of generation %d, was %d", web.Generation, generation)
	}
	apply("")
	w.rolledOut(web, "", "openai")
	if _, listed := web.Annotations[carried]; listed {
		t.Errorf("not detached: %v", web.Annotations)
	}
}
