// SPDX-License-Identifier: Apache-2.0

package workload_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/injector/workload"
)

func TestParsePath(t *testing.T) {
	for text, want := range map[string][]workload.Step{
		".spec.template":             {{Field: "spec"}, {Field: "template"}},
		".spec.groups[*].template":   {{Field: "spec"}, {Field: "groups"}, {Items: true}, {Field: "template"}},
		".spec.replicas.*.template":  {{Field: "spec"}, {Field: "replicas"}, {}, {Field: "template"}},
		".spec.a[*][*].*.t-1_x":      {{Field: "spec"}, {Field: "a"}, {Items: true}, {Items: true}, {}, {Field: "t-1_x"}},
		"":                           nil,
		"spec.template":              nil,
		".spec..template":            nil,
		".spec.":                     nil,
		"[*]":                        nil,
		".*":                         nil,
		".spec[0]":                   nil,
		".spec[*]template":           nil,
		".spec.*template":            nil,
		".spec.1a":                   nil,
		".spec/template":             nil,
		".spec['template']":          nil,
		".spec.templ ate":            nil,
		".spec.template[*":           nil,
		"$.spec.template":            nil,
		".spec.replicas.*[*].a.b.*":  {{Field: "spec"}, {Field: "replicas"}, {}, {Items: true}, {Field: "a"}, {Field: "b"}, {}},
		".spec.replicas\n.template":  nil,
		".spec.replicas.\u00e4":      nil,
		".spec.template.metadata[*]": {{Field: "spec"}, {Field: "template"}, {Field: "metadata"}, {Items: true}},
	} {
		path, err := workload.ParsePath(text)
		if (err == nil) != (want != nil) {
			t.Errorf("%q: error %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, path.Steps()); err == nil && diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
		if err == nil && path.String() != text {
			t.Errorf("%q is said to be %q", text, path.String())
		}
	}
}

// TestTemplates: every template of an object is found, in the document and in what
// is decoded of it.
func TestTemplates(t *testing.T) {
	for name, test := range map[string]struct {
		kind, apiVersion, object string
		want                     []string
		fault                    string
	}{
		"a pod":                  {kind: "Pod", apiVersion: "v1", object: `{}`, want: []string{""}},
		"one":                    {kind: "Deployment", apiVersion: "apps/v1", object: `{"spec":{"template":{}}}`, want: []string{"/spec/template"}},
		"none":                   {kind: "Deployment", apiVersion: "apps/v1", object: `{"spec":{"template":null}}`},
		"no spec":                {kind: "Deployment", apiVersion: "apps/v1", object: `{}`},
		"values of a map":        {kind: "PyTorchJob", apiVersion: "kubeflow.org/v1", object: `{"spec":{"pytorchReplicaSpecs":{"Worker":{"template":{}},"Master":{"template":{}},"Other":{},"A/B":{"template":{}}}}}`, want: []string{"/spec/pytorchReplicaSpecs/A~1B/template", "/spec/pytorchReplicaSpecs/Master/template", "/spec/pytorchReplicaSpecs/Worker/template"}},
		"items of a list":        {kind: "RayCluster", apiVersion: "ray.io/v1", object: `{"spec":{"headGroupSpec":{"template":{}},"workerGroupSpecs":[{"template":{}},{},{"template":{}}]}}`, want: []string{"/spec/headGroupSpec/template", "/spec/workerGroupSpecs/0/template", "/spec/workerGroupSpecs/2/template"}},
		"a template elsewhere":   {kind: "Rollout", apiVersion: "argoproj.io/v1alpha1", object: `{"spec":{"workloadRef":{}}}`},
		"a list that is an item": {kind: "RayCluster", apiVersion: "ray.io/v1", object: `{"spec":{"workerGroupSpecs":{"a":{}}}}`, fault: "/spec/workerGroupSpecs"},
		"a map that is a list":   {kind: "PyTorchJob", apiVersion: "kubeflow.org/v1", object: `{"spec":{"pytorchReplicaSpecs":[{}]}}`, fault: "/spec/pytorchReplicaSpecs"},
	} {
		t.Run(name, func(t *testing.T) {
			kind, ok := workload.KindOf(test.apiVersion, test.kind)
			if !ok {
				t.Fatal("the kind is not known")
			}
			templates, err := kind.Templates([]byte(test.object))
			fault, _ := err.(*pod.Error) //nolint:errorlint // the type itself is promised
			if (err != nil) != (test.fault != "") || fault != nil && fault.Pointer != test.fault {
				t.Fatalf("error %v at %+v", err, fault)
			}
			var got []string
			for _, template := range templates {
				got = append(got, template.Prefix)
				if raw, err := template.Decode([]byte(test.object)); raw != nil || err == nil {
					continue // decoding says of an empty one that it is no pod, so it finds it
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var object map[string]any
			if err := json.Unmarshal([]byte(test.object), &object); err != nil {
				t.Fatal(err)
			}
			if found := kind.Find(object); len(kind.Paths) > 0 && len(found) != len(test.want) {
				t.Errorf("%d templates are found in the decoded object, want %d", len(found), len(test.want))
			}
		})
	}
}

// TestDecodeInList: a template in a list is read where the kind says that it is.
func TestDecodeInList(t *testing.T) {
	object := []byte(`{"spec":{"workerGroupSpecs":[{},{"template":{"metadata":{"name":"b"},"spec":{}}}]}}`)
	kind, _ := workload.KindOf("ray.io/v1", "RayCluster")
	templates, err := kind.Templates(object)
	if err != nil || len(templates) != 1 {
		t.Fatalf("got %v, %v", templates, err)
	}
	got, err := templates[0].Decode(object)
	if err != nil || got.Metadata.Name != "b" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func FuzzPath(f *testing.F) {
	f.Add(".spec.replicas.*.template", `{"spec":{"replicas":{"a":{"template":{}}}}}`)
	f.Add(".spec.groups[*].template", `{"spec":{"groups":[{"template":{}},null]}}`)
	f.Add(".spec[*][*]", `{"spec":[[1],[{}]]}`)
	f.Fuzz(func(t *testing.T, text, document string) {
		path, err := workload.ParsePath(text)
		if err != nil {
			return
		}
		kind := workload.Kind{Paths: []workload.Path{path}, Carries: true}
		templates, err := kind.Templates([]byte(document))
		if err != nil {
			return
		}
		var prefixes []string
		for _, template := range templates {
			prefixes = append(prefixes, template.Prefix)
		}
		slices.Sort(prefixes)
		if len(slices.Compact(prefixes)) != len(templates) {
			t.Errorf("a place is found twice: %v", prefixes)
		}
		_, _ = workload.Carry([]byte(document), templates...)
	})
}
