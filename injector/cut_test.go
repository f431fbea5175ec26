// SPDX-License-Identifier: Apache-2.0

package injector_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/patch"
)

// cutRegistry is a registry login of the cluster. Of the namespaces where another
// Secret has its name its status has as many as it can, all before team-a.
func cutRegistry(truncated bool) *catalog.Entry {
	c := &v1alpha1.Credential{}
	c.Namespace, c.Name, c.Generation = "credence-credentials", "cut", 1
	c.Spec.Type, c.Spec.Scope.Level = v1alpha1.DockerRegistry, v1alpha1.ScopeCluster
	c.Status.ObservedGeneration, c.Status.Keys = 1, []v1alpha1.SecretKey{{Key: ".dockerconfigjson"}}
	c.Status.Registries = []string{"cut.example.com"}
	c.Status.Namespaces.Truncated = truncated
	for i := range v1alpha1.MaxStatusNamespaces {
		c.Status.TakenNamespaces = append(c.Status.TakenNamespaces, fmt.Sprintf("n%03d", i))
	}
	return catalog.NewEntry(c)
}

// TestMaybeAnotherSecret: where a status has no room to tell whether the Secret of a
// name is a credential's, the pod gets it and its author is told, whether he named the
// credential or not. A Secret that the pod itself names is no business of ours.
func TestMaybeAnotherSecret(t *testing.T) {
	const image, secret = `"containers":[{"name":"main","image":"cut.example.com/app"}]`, `{"name":"dockerregistry-cut"}`
	warning := []string{`whether Secret dockerregistry-cut in namespace team-a is that of credential "cut" is not known: too many namespaces have another of this name`}
	named := `"metadata":{"annotations":{"credence.dev/credentials":"cut"}},`
	ours := `"metadata":{"annotations":{"credence.dev/injected":"{\"cut\":[\"imagePullSecrets (automatic)\"]}"}},`
	for name, test := range map[string]struct {
		pod      string
		complete bool // the status names all of the namespaces
		want     []string
		pull     string // what the pod has then
	}{
		"named":               {pod: `{` + named + `"spec":{` + image + `}}`, want: warning, pull: secret},
		"named, not cut":      {pod: `{` + named + `"spec":{` + image + `}}`, complete: true, pull: secret},
		"automatic":           {pod: `{"spec":{` + image + `}}`, want: warning, pull: secret},
		"automatic, not cut":  {pod: `{"spec":{` + image + `}}`, complete: true, pull: secret},
		"of another registry": {pod: `{"spec":{"containers":[{"name":"main","image":"quiet.example.com/app"}]}}`},
		"the pod's own":       {pod: `{"spec":{` + image + `,"imagePullSecrets":[` + secret + `]}}`, pull: secret},
		"added before":        {pod: `{` + ours + `"spec":{` + image + `,"imagePullSecrets":[` + secret + `]}}`, want: warning, pull: secret},
	} {
		t.Run(name, func(t *testing.T) {
			known, _ := catalogOf(t, "testdata/assets.yaml", credential.DefaultLayout())
			known.Set(cutRegistry(!test.complete))
			result, err := injectPod(t, known, []byte(test.pod), "team-a")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, result.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			patched, err := patch.Apply([]byte(test.pod), result.Operations)
			if err != nil {
				t.Fatal(err)
			}
			var want any
			if test.pull != "" {
				want = []any{parse(t, []byte(test.pull))}
			}
			if diff := cmp.Diff(want, at(parse(t, patched), "spec", "imagePullSecrets")); diff != "" {
				t.Errorf("pull secrets (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTakenSecretOfThePodItself: a pod that names the other Secret itself keeps it, and
// is told nothing.
func TestTakenSecretOfThePodItself(t *testing.T) {
	known, _ := catalogOf(t, "testdata/assets.yaml", credential.DefaultLayout())
	result, err := injectPod(t, known, []byte(`{"spec":{"containers":[{"name":"main","image":"taken.example.com/app"}],"imagePullSecrets":[{"name":"dockerregistry-taken-registry"}]}}`), "team-a")
	if err != nil || len(result.Operations)+len(result.Warnings) > 0 {
		t.Errorf("got %v, %q, %v", result.Operations, result.Warnings, err)
	}
}
