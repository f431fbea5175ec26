// SPDX-License-Identifier: Apache-2.0

package injector_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector"
)

// TestMaybeAnotherSecret: where a status has no room to tell whether the Secret of a
// name is a credential's, the pod is admitted, and its author is told.
func TestMaybeAnotherSecret(t *testing.T) {
	for truncated, want := range map[bool]int{true: 1, false: 0} {
		t.Run(fmt.Sprint(truncated), func(t *testing.T) {
			known, _ := catalogOf(t, "testdata/assets.yaml", credential.DefaultLayout())
			c := &v1alpha1.Credential{}
			c.Namespace, c.Name, c.Generation = "credence-credentials", "cut", 1
			c.Spec.Type, c.Spec.Scope.Level = v1alpha1.Generic, v1alpha1.ScopeCluster
			c.Status.ObservedGeneration, c.Status.Keys = 1, []v1alpha1.SecretKey{{Key: "key"}}
			c.Status.Namespaces.Truncated = truncated
			for i := range v1alpha1.MaxStatusNamespaces {
				c.Status.TakenNamespaces = append(c.Status.TakenNamespaces, fmt.Sprintf("n%03d", i)) // before team-a
			}
			known.Set(catalog.NewEntry(c))
			result, err := injector.Inject(known, injector.Request{Pod: podWith(t, "credence.dev/credentials", "cut"), Namespace: "team-a"})
			if err != nil {
				t.Fatal(err)
			}
			warned := 0
			for _, warning := range result.Warnings {
				if strings.HasPrefix(warning, `whether Secret genericsecret-cut in namespace team-a is that of credential "cut" is not known`) {
					warned++
				}
			}
			if warned != want {
				t.Errorf("the warnings are %q", result.Warnings)
			}
		})
	}
}
