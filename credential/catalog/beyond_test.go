// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"testing"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
)

func TestBeyond(t *testing.T) {
	c := company()
	for name, test := range map[string]struct {
		scope           v1alpha1.Scope
		home, namespace string
		want            bool
	}{
		"in the department":      {department("research"), "research-home", "team-a", false},
		"of another":             {department("research"), "research-home", "team-c", true},
		"of none":                {department("research"), system, "team-d", true},
		"a project":              {cluster, system, "team-d", false},
		"no project":             {cluster, system, "other", true},
		"a home":                 {cluster, system, "research-home", true},
		"unknown":                {cluster, system, "gone", true},
		"the scope fits nowhere": {department("sales"), "research-home", "team-a", false},
	} {
		place, beyond := c.Beyond(test.scope, test.home, test.namespace)
		if beyond != test.want || place.Namespace != test.namespace && place != (credential.Place{}) {
			t.Errorf("%s: %v of %+v, want %v", name, beyond, place, test.want)
		}
	}
}
