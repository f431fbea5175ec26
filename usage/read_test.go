// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// TestOtherKinds: an object may have several pod templates, and any may be strange.
func TestOtherKinds(t *testing.T) {
	gang := Kind{
		GroupVersionKind: schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Gang"},
		Templates: func(object map[string]any) []map[string]any {
			var templates []map[string]any
			list, _ := object["templates"].([]any)
			for _, one := range list {
				template, _ := one.(map[string]any)
				templates = append(templates, template)
			}
			return templates
		},
	}
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
			read, ok := gang.read(test.object)
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
	if _, ok := gang.read(pod("a", pulling())); ok {
		t.Error("a pod is read as a gang")
	}
}
