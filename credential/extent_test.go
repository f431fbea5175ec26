// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"testing"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
)

func TestRelationTo(t *testing.T) {
	var (
		system       = credential.Place{Namespace: "credence-credentials", System: true}
		researchHome = credential.Place{Namespace: "research", Home: "research"}
		salesHome    = credential.Place{Namespace: "sales", Home: "sales"}
		teamA        = credential.Place{Namespace: "team-a", Project: "a", Department: "research"}
		teamB        = credential.Place{Namespace: "team-b", Project: "b", Department: "research"}
		teamC        = credential.Place{Namespace: "team-c", Project: "c", Department: "sales"}
		teamD        = credential.Place{Namespace: "team-d", Project: "d"}
		nowhere      = credential.Place{Namespace: "default"}

		cluster    = v1alpha1.Scope{Level: v1alpha1.ScopeCluster}
		project    = v1alpha1.Scope{Level: v1alpha1.ScopeProject}
		department = func(id string) v1alpha1.Scope {
			return v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: id}
		}
		at = func(home credential.Place, scope v1alpha1.Scope) credential.Extent {
			return credential.Extent{Scope: scope, Home: home}
		}
	)
	opposite := map[credential.Relation]credential.Relation{
		credential.Apart: credential.Apart, credential.Equal: credential.Equal,
		credential.Wider: credential.Narrower, credential.Narrower: credential.Wider,
	}
	for name, test := range map[string]struct {
		one, other credential.Extent
		want       credential.Relation
	}{
		"the cluster twice":                        {at(system, cluster), at(system, cluster), credential.Equal},
		"cluster over department":                  {at(system, cluster), at(system, department("research")), credential.Wider},
		"cluster over department in its home":      {at(system, cluster), at(researchHome, department("research")), credential.Wider},
		"cluster over project":                     {at(system, cluster), at(teamA, project), credential.Wider},
		"cluster over project of no department":    {at(system, cluster), at(teamD, project), credential.Wider},
		"department, home and system namespace":    {at(system, department("research")), at(researchHome, department("research")), credential.Equal},
		"two departments":                          {at(system, department("research")), at(system, department("sales")), credential.Apart},
		"two homes":                                {at(researchHome, department("research")), at(salesHome, department("sales")), credential.Apart},
		"department over its project":              {at(researchHome, department("research")), at(teamA, project), credential.Wider},
		"department and another's project":         {at(researchHome, department("research")), at(teamC, project), credential.Apart},
		"department and a project of none":         {at(system, department("research")), at(teamD, project), credential.Apart},
		"one project":                              {at(teamA, project), at(teamA, project), credential.Equal},
		"two projects":                             {at(teamA, project), at(teamB, project), credential.Apart},
		"cluster in a project covers nothing":      {at(teamA, cluster), at(teamA, project), credential.Apart},
		"cluster in a home covers nothing":         {at(researchHome, cluster), at(researchHome, department("research")), credential.Apart},
		"department in another's home":             {at(salesHome, department("research")), at(teamA, project), credential.Apart},
		"department in a project":                  {at(teamA, department("research")), at(teamA, project), credential.Apart},
		"project in the system namespace":          {at(system, project), at(system, cluster), credential.Apart},
		"project in a home":                        {at(researchHome, project), at(researchHome, department("research")), credential.Apart},
		"a namespace that is nothing":              {at(nowhere, project), at(system, cluster), credential.Apart},
		"a department without name":                {at(system, department("")), at(teamD, project), credential.Apart},
		"no level":                                 {at(system, v1alpha1.Scope{}), at(system, v1alpha1.Scope{}), credential.Apart},
		"department without name, project of none": {at(system, department("")), at(system, department("")), credential.Apart},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.one.RelationTo(test.other); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if got := test.other.RelationTo(test.one); got != opposite[test.want] {
				t.Errorf("the other way: got %v, want %v", got, opposite[test.want])
			}
		})
	}
}
