// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"strings"
	"testing"

	"github.com/credence-dev/credence/api/v1alpha1"
)

func TestReach(t *testing.T) {
	c := company()
	for name, test := range map[string]struct {
		scope     v1alpha1.Scope
		namespace string
		want      string
	}{
		"cluster":                      {cluster, system, "team-a team-b team-c team-d"},
		"cluster in a home":            {cluster, "research-home", ""},
		"department in system":         {department("research"), system, "team-a team-b"},
		"department in its home":       {department("research"), "research-home", "team-a team-b"},
		"department in another's home": {department("sales"), "research-home", ""},
		"department that has nothing":  {department("legal"), system, ""},
		"project":                      {project, "team-a", "team-a"},
		"project in no project":        {project, "other", ""},
		"project in the unknown":       {project, "unknown", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var names []string
			for _, p := range c.Reach(test.scope, test.namespace) {
				names = append(names, p.Namespace)
			}
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("reaches %q, want %q", got, test.want)
			}
		})
	}
}

// TestReachFollows: what was found is not told any more once a place changes.
func TestReachFollows(t *testing.T) {
	c := company()
	reaches := func(scope v1alpha1.Scope, namespace, want string) {
		t.Helper()
		for range 2 {
			var names []string
			for _, p := range c.Reach(scope, namespace) {
				names = append(names, p.Namespace)
			}
			if got := strings.Join(names, " "); got != want {
				t.Errorf("reaches %q, want %q", got, want)
			}
		}
	}
	reaches(department("research"), system, "team-a team-b")
	reaches(department("research"), "other", "")
	c.SetNamespace("team-c", map[string]string{v1alpha1.LabelProject: "c", v1alpha1.LabelDepartment: "research"})
	reaches(department("research"), system, "team-a team-b team-c")
	c.RemoveNamespace("team-a")
	reaches(department("research"), system, "team-b team-c")
	c.SetNamespace("other", map[string]string{v1alpha1.LabelDepartmentHome: "research"})
	reaches(department("research"), "other", "team-b team-c")
	reaches(project, "team-b", "team-b")
}
