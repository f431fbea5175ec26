// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Who posts a review learns nothing of what he cannot see: not by the sentence,
// not by suggestions, and not by how much had to be read for it, asked once or
// again, known or not known to the caches.
func TestOtherTenantsAreInvisible(t *testing.T) {
	hidden := []client.Object{
		generic("team-b", "payments", ""),
		generic(systemNamespace, "payments", "finance"),
		generic("finance-home", "payments", "finance"),
	}
	places := map[string][]client.Object{
		"a project":                 {project("team-a", "")},
		"a project of a department": {project("team-a", "research"), namespace("research-home", map[string]string{v1alpha1.LabelDepartmentHome: "research"})},
		"outside":                   {namespace("team-a", nil)},
		"a namespace just created":  {},
	}
	for place, objects := range places {
		for _, cached := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, cached %v", place, cached), func(t *testing.T) {
				ask := func(name string, hidden ...client.Object) (got []string) {
					synctest.Test(t, func(t *testing.T) {
						f := newFixture(t)
						f.know(namespace(systemNamespace, nil), project("team-b", "finance"),
							namespace("finance-home", map[string]string{v1alpha1.LabelDepartmentHome: "finance"}))
						f.know(objects...)
						f.cluster.create(hidden...)
						if cached {
							f.know(hidden...)
						}
						for range 3 { // the second from memory, the third after it
							answer := f.admit("team-a", podWith(map[string]string{"env.credence.dev/A": name + "/password"}))
							got = append(got, fmt.Sprint(answer.response.Result.Code, answer.response.Warnings, answer.response.AuditAnnotations), answer.message(),
								strings.ReplaceAll(fmt.Sprint(f.cluster.asked()), name, "…"))
							pass(1500 * time.Millisecond)
						}
					})
					return got
				}
				absent := ask("payments")
				if diff := cmp.Diff(absent, ask("payments", hidden...)); diff != "" {
					t.Errorf("what is hidden differs from what is absent (-absent +hidden):\n%s", diff)
				}
				if diff := cmp.Diff(ask("payment"), ask("payment", hidden...)); diff != "" {
					t.Errorf("a name near to what is hidden tells of it (-absent +hidden):\n%s", diff)
				}
			})
		}
	}
}
