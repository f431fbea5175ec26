// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
)

// roles are those for people, with all that they give: where they are bound is up
// to administrators.
var roles = map[string][]string{
	"credence-viewer": {
		"credentials.credence.dev get,list,watch",
		"datasources.credence.dev get,list,watch",
		"environments.credence.dev get,list,watch",
		"events. get,list,watch",
		"events.events.k8s.io get,list,watch",
		"workloadtemplates.credence.dev get,list,watch",
	},
	"credence-project-editor": {
		"credentials.credence.dev create,delete,deletecollection,get,list,patch,update,watch",
		"datasources.credence.dev create,delete,deletecollection,get,list,patch,update,watch",
		"environments.credence.dev create,delete,deletecollection,get,list,patch,update,watch",
		"events. get,list,watch",
		"events.events.k8s.io get,list,watch",
		"secrets. create,update",
		"workloadtemplates.credence.dev create,delete,deletecollection,get,list,patch,update,watch",
	},
	"credence-department-admin": {
		"credentials.credence.dev create,delete,deletecollection,get,list,patch,update,watch",
		"datasources.credence.dev create,delete,deletecollection,get,list,patch,update,watch",
		"environments.credence.dev create,delete,deletecollection,get,list,patch,update,watch",
		"events. get,list,watch",
		"events.events.k8s.io get,list,watch",
		"secrets. create,delete,get,list,patch,update,watch",
		"workloadtemplates.credence.dev create,delete,deletecollection,get,list,patch,update,watch",
	},
	"credence-admin": {
		"clusters.credence.dev forcedelete",
		"clusters.credence.dev propagate",
		"credentials.credence.dev create,delete,deletecollection,get,list,patch,update,watch",
		"datasources.credence.dev create,delete,deletecollection,get,list,patch,update,watch",
		"departments.credence.dev forcedelete",
		"departments.credence.dev join",
		"departments.credence.dev propagate",
		"environments.credence.dev create,delete,deletecollection,get,list,patch,update,watch",
		"events. get,list,watch",
		"events.events.k8s.io get,list,watch",
		"projects.credence.dev forcedelete",
		"projects.credence.dev join",
		"workloadkinds.credence.dev create,delete,deletecollection,get,list,patch,update,watch",
		"workloadtemplates.credence.dev create,delete,deletecollection,get,list,patch,update,watch",
	},
}

func TestCredenceRoles(t *testing.T) {
	for name, values := range variations {
		t.Run(name, func(t *testing.T) {
			found := map[string][]string{}
			for name, role := range typed[rbacv1.ClusterRole](t, rendered(t, values), "ClusterRole") {
				if _, process := rights[name]; process || aggregates(role) {
					continue
				}
				found[name] = nil
				for _, rule := range role.Rules {
					for _, line := range lines(t, "", rule) {
						found[name] = append(found[name], strings.TrimPrefix(line, ": "))
					}
				}
				slices.Sort(found[name])
			}
			if diff := cmp.Diff(roles, found); diff != "" {
				t.Errorf("roles (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCredenceRolesAreAggregated(t *testing.T) {
	const prefix = "rbac.authorization.k8s.io/aggregate-to-"
	for values, want := range map[string]map[string]string{
		"":                        {"credence-viewer": "admin,edit,view", "credence-project-editor": "admin,edit"},
		variations["roles apart"]: {},
	} {
		found := map[string]string{}
		for name, role := range typed[rbacv1.ClusterRole](t, rendered(t, values), "ClusterRole") {
			var into []string
			for label, value := range role.Labels {
				if to, ok := strings.CutPrefix(label, prefix); ok && value == "true" {
					into = append(into, to)
				}
			}
			if len(into) > 0 {
				slices.Sort(into)
				found[name] = strings.Join(into, ",")
			}
		}
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("%q: aggregated to (-want +got):\n%s", values, diff)
		}
	}
}
