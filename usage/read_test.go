// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/credence-dev/credence/injector/workload"
)

// TestOtherKinds: an object may have several pod templates, and any may be strange.
func TestOtherKinds(t *testing.T) {
	path, err := workload.ParsePath(".templates[*]")
	if err != nil {
		t.Fatal(err)
	}
	gang := &workload.Kind{Group: "example.com", Versions: []string{"v1"}, Kind: "Gang", Paths: []workload.Path{path}}
	pulls := map[string]any{"spec": map[string]any{"imagePullSecrets": []any{map[string]any{"name": hubSecret}}}}
	plain := map[string]any{"spec": map[string]any{"containers": []any{}}}
	named := map[string]any{"metadata": map[string]any{"annotations": map[string]any{"credence.dev/credentials": "hub"}}, "spec": map[string]any{"containers": "none"}}
	object := func(annotation string, templates ...any) *unstructured.Unstructured {
		o := &unstructured.Unstructured{Object: map[string]any{"templates": templates}}
		o.SetNamespace("a")
		o.SetName("g")
		o.SetUID("uid-g")
		o.SetAnnotations(map[string]string{"credence.dev/credentials": annotation})
		return o
	}
	inA := workloads(user("Gang", "g"))
	for name, test := range map[string]struct {
		object *unstructured.Unstructured
		want   Users
	}{
		"no template":      {object("other"), Users{}},
		"annotated itself": {object("hub"), inA},
		"the second":       {object("other", plain, pulls), inA},
		"partly strange":   {object("other", named), inA},
		"all strange":      {object("other", "text", map[string]any{"spec": "text"}, nil), Users{}},
		"owned":            {by("example.com/v1", "App", "shop", object("hub", pulls)), Users{}},
	} {
		t.Run(name, func(t *testing.T) {
			read, ok := read(gang, test.object)
			if !ok {
				t.Fatal("not read")
			}
			x := NewIndex()
			x.Set(read)
			if diff := cmp.Diff(test.want, x.Users(hub)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, ok := read(gang, pod("a", pulling())); ok {
		t.Error("a pod is read as a gang")
	}
}

// TestTemplatesThatPull: pull secrets that were added to a template by themselves count
// as those of pods do; those that somebody wrote there are used.
func TestTemplatesThatPull(t *testing.T) {
	knative, _ := workload.KindOf("serving.knative.dev/v1", "Service")
	for record, want := range map[string]Users{
		`{"hub":["imagePullSecrets (automatic)"]}`: automatics(user("Service", "hello")),
		`{"hub":["imagePullSecrets"]}`:             workloads(user("Service", "hello")),
		``:                                         workloads(user("Service", "hello")),
	} {
		o := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"template": map[string]any{
			"metadata": map[string]any{"annotations": map[string]any{"credence.dev/injected": record}},
			"spec":     map[string]any{"imagePullSecrets": []any{map[string]any{"name": hubSecret}}},
		}}}}
		o.SetNamespace("a")
		o.SetName("hello")
		read, ok := read(&knative, o)
		if !ok {
			t.Fatal("not read")
		}
		x := NewIndex()
		x.Set(read)
		if diff := cmp.Diff(want, x.Users(hub)); diff != "" {
			t.Errorf("with record %q (-want +got):\n%s", record, diff)
		}
	}
}
