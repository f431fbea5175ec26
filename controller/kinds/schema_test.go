// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/credence-dev/credence/injector/workload"
)

const definition = `
properties:
  spec:
    properties:
      template: &template
        properties:
          metadata: {type: object, properties: {annotations: {type: object, additionalProperties: {type: string}}}}
          spec: {type: object, properties: {containers: {type: array}}}
      free: {type: object, x-kubernetes-preserve-unknown-fields: true}
      loose:
        properties:
          metadata: {type: object, x-kubernetes-preserve-unknown-fields: true}
          spec: {type: object, x-kubernetes-preserve-unknown-fields: true}
      embedded: {type: object, x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true}
      pruned:
        properties:
          metadata: {type: object}
          spec: {type: object, properties: {containers: {type: array}}}
      bare:
        properties:
          spec: {type: object, properties: {containers: {type: array}}}
      groups: {type: array, items: {type: object, properties: {template: *template, name: {type: string}}}}
      replicas: {type: object, additionalProperties: {type: object, properties: {template: *template}}}
      roles: {type: object, properties: {size: {type: integer}, main: {type: object, properties: {template: *template}}}}
      anything: {type: object, additionalProperties: true}
      count: {type: integer}
`

// TestCheckPaths: a path leads to a pod template that keeps its annotations, as far as
// the schema says anything.
func TestCheckPaths(t *testing.T) {
	var props apiextensionsv1.JSONSchemaProps
	if err := yaml.Unmarshal([]byte(definition), &props); err != nil {
		t.Fatal(err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{Spec: apiextensionsv1.CustomResourceDefinitionSpec{
		Versions: []apiextensionsv1.CustomResourceDefinitionVersion{
			{Name: "v1", Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &props}}, {Name: "v2"},
		},
	}}
	for text, want := range map[string]string{
		".spec.template":               "",
		".spec.groups[*].template":     "",
		".spec.replicas.*.template":    "",
		".spec.replicas.main.template": "",
		".spec.roles.*.template":       "",
		".spec.roles.main.template":    "",
		".spec.free":                   "",
		".spec.free.some[*].where.*.t": "",
		".spec.loose":                  "",
		".spec.embedded":               "",
		".spec.anything.*":             "",

		".spec.templates":              "there is no field templates at .spec",
		".template":                    "the kind has no field template",
		".spec":                        errNoTemplate.Error(),
		".spec.template.spec":          errNoTemplate.Error(),
		".spec.count":                  errNoTemplate.Error(),
		".spec.pruned":                 errNoAnnotations.Error(),
		".spec.bare":                   errNoAnnotations.Error(),
		".spec.groups.template":        "there is no field template at .spec.groups",
		".spec.groups.*.template":      "there is no map at .spec.groups",
		".spec.replicas[*].template":   "there is no list at .spec.replicas",
		".spec.groups[*].name":         errNoTemplate.Error(),
		".spec.groups[*].none":         "there is no field none at .spec.groups[*]",
		".spec.replicas.*.none":        "there is no field none at .spec.replicas.*",
		".spec.count.*":                "there is no map at .spec.count",
		".spec.roles.size.template":    "there is no field template at .spec.roles.size",
		".spec.template.spec.template": "there is no field template at .spec.template.spec",
	} {
		path, err := workload.ParsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		got, kind := "", workload.Kind{Versions: []string{"v1"}, Paths: []workload.Path{path}}
		if err := checkPaths(crd, &kind); err != nil {
			got = err.Error()
		}
		if want != "" {
			want = "path " + text + ": " + want
		}
		if got != want {
			t.Errorf("%s:\ngot  %q\nwant %q", text, got, want)
		}
		for _, version := range []string{"v2", "v3"} { // of which nothing is said
			kind.Versions = []string{version}
			if err := checkPaths(crd, &kind); err != nil {
				t.Errorf("%s in %s: %v", text, version, err)
			}
		}
	}
}
