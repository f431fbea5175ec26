// SPDX-License-Identifier: Apache-2.0

package injector_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/injector"
	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/injector/remark"
	"github.com/credence-dev/credence/injector/workload"
)

// asked counts how often a catalog is asked what a namespace is.
type asked struct {
	injector.Catalog
	places int
}

func (a *asked) Place(namespace string) (credential.Place, bool) {
	a.places++
	return a.Catalog.Place(namespace)
}

// TestCheck: what a template gets before there are pods, and what its author is told,
// are one decision. Only pull secrets are written there, with their record.
func TestCheck(t *testing.T) {
	const (
		noOne  = `pods will be refused: annotation credence.dev/credentials: there is no credential "nobody" in namespace team-a`
		object = `{"spec":{"template":{"metadata":{"annotations":{"credence.dev/credentials":"NAMES"}},"spec":{"securityContext":{"runAsUser":0},"containers":[{"name":"main","image":"registry.example.com/app"}]}}}}`
		price  = "imagePullSecrets in a pod template keep the API server from adding those of the service account"
	)
	hub := `[{"op":"add","path":"/spec/template/spec/imagePullSecrets","value":[{"name":"dockerregistry-hub"}]},` +
		`{"op":"add","path":"/spec/template/metadata/annotations/credence.dev~1injected","value":"{\"hub\":[\"imagePullSecrets (automatic)\"]}"}]`
	for name, test := range map[string]struct {
		names       string
		pullSecrets bool
		operations  string
		warnings    []string
	}{
		"pull secrets belong there": {"openai", true, hub, []string{price}},
		"they do not":               {"openai", false, "[]", nil},
		"pods will be refused":      {"nobody", true, "[]", []string{noOne}},
	} {
		t.Run(name, func(t *testing.T) {
			known, _ := catalogOf(t, "testdata/assets.yaml", credential.DefaultLayout())
			counted := &asked{Catalog: known}
			var warnings remark.Warnings
			operations := injector.Check(counted, []byte(strings.Replace(object, "NAMES", test.names, 1)),
				[]workload.Template{{Prefix: "/spec/template", PullSecrets: test.pullSecrets}}, injector.Request{Namespace: "team-a"}, &warnings)
			if counted.places != 1 {
				t.Errorf("it was decided %d times", counted.places)
			}
			got, err := patch.AppendJSON(nil, operations)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(parse(t, []byte(test.operations)), parse(t, got)); diff != "" {
				t.Errorf("operations (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.warnings, warnings.List()); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}
