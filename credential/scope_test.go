// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
)

func TestDefaultLayout(t *testing.T) {
	want := credential.Layout{
		SystemNamespace: "credence-credentials", InstallNamespace: "credence",
		ProjectLabel: "credence.dev/project", DepartmentLabel: "credence.dev/department",
	}
	if diff := cmp.Diff(want, credential.DefaultLayout()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPlace(t *testing.T) {
	foreign := credential.Layout{SystemNamespace: "runai", InstallNamespace: "credence", ProjectLabel: "runai/queue", DepartmentLabel: "kai/department"}
	all := map[string]string{
		"credence.dev/project": "a", "credence.dev/department": "research", "credence.dev/department-home": "sales", "runai/queue": "b", "kai/department": "d",
	}
	for name, test := range map[string]struct {
		layout    credential.Layout
		namespace string
		labels    map[string]string
		want      credential.Place
		holds     bool
	}{
		"nothing":       {namespace: "x", want: credential.Place{Namespace: "x"}},
		"other labels":  {namespace: "x", labels: map[string]string{"project": "a"}, want: credential.Place{Namespace: "x"}},
		"project":       {namespace: "team-a", labels: map[string]string{"credence.dev/project": "a"}, want: credential.Place{Namespace: "team-a", Project: "a"}, holds: true},
		"empty project": {namespace: "team-a", labels: map[string]string{"credence.dev/project": "", "credence.dev/department": "research"}, want: credential.Place{Namespace: "team-a"}},
		"project of a department": {
			namespace: "team-a", labels: map[string]string{"credence.dev/project": "a", "credence.dev/department": "research"},
			want: credential.Place{Namespace: "team-a", Project: "a", Department: "research"}, holds: true,
		},
		"department without project": {namespace: "x", labels: map[string]string{"credence.dev/department": "research"}, want: credential.Place{Namespace: "x"}},
		"home":                       {namespace: "research", labels: map[string]string{"credence.dev/department-home": "research"}, want: credential.Place{Namespace: "research", Home: "research"}, holds: true},
		"empty home is none":         {namespace: "team-a", labels: map[string]string{"credence.dev/department-home": "", "credence.dev/project": "a"}, want: credential.Place{Namespace: "team-a", Project: "a"}, holds: true},
		"home is no project":         {namespace: "x", labels: all, want: credential.Place{Namespace: "x", Home: "sales"}, holds: true},
		"system":                     {namespace: "credence-credentials", want: credential.Place{Namespace: "credence-credentials", System: true}, holds: true},
		"system is nothing else":     {namespace: "credence-credentials", labels: all, want: credential.Place{Namespace: "credence-credentials", System: true}, holds: true},
		"install namespace":          {namespace: "credence", labels: all, want: credential.Place{Namespace: "credence"}},
		"kube-system":                {namespace: "kube-system", labels: all, want: credential.Place{Namespace: "kube-system"}},
		"labels that a cluster has": {
			layout: foreign, namespace: "team-b", labels: map[string]string{"runai/queue": "b", "kai/department": "d", "credence.dev/project": "a", "credence.dev/department": "research"},
			want: credential.Place{Namespace: "team-b", Project: "b", Department: "d"}, holds: true,
		},
		"system that a cluster has":     {layout: foreign, namespace: "runai", want: credential.Place{Namespace: "runai", System: true}, holds: true},
		"default label where it is not": {layout: foreign, namespace: "team-a", labels: map[string]string{"credence.dev/project": "a"}, want: credential.Place{Namespace: "team-a"}},
	} {
		t.Run(name, func(t *testing.T) {
			layout := test.layout
			if layout == (credential.Layout{}) {
				layout = credential.DefaultLayout()
			}
			got := layout.Place(test.namespace, test.labels)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.HoldsCredentials() != test.holds || got.IsProject() != (test.want.Project != "") {
				t.Errorf("%+v holds credentials: %v, is a project: %v", got, got.HoldsCredentials(), got.IsProject())
			}
		})
	}
}

// TestCovers goes through every scope, from every place, to every place.
func TestCovers(t *testing.T) {
	places := map[string]credential.Place{
		"team-a":        {Namespace: "team-a", Project: "a", Department: "research"},
		"team-b":        {Namespace: "team-b", Project: "b", Department: "sales"},
		"team-c":        {Namespace: "team-c", Project: "c"},
		"research-home": {Namespace: "research-home", Home: "research"},
		"sales-home":    {Namespace: "sales-home", Home: "sales"},
		"system":        {Namespace: "system", System: true},
		"nothing":       {Namespace: "nothing"},
	}
	covered := map[string]bool{
		"project team-a → team-a":                    true,
		"project team-b → team-b":                    true,
		"project team-c → team-c":                    true,
		"department research system → team-a":        true,
		"department research research-home → team-a": true,
		"department sales system → team-b":           true,
		"department sales sales-home → team-b":       true,
		"cluster system → team-a":                    true,
		"cluster system → team-b":                    true,
		"cluster system → team-c":                    true,
	}
	scopes := map[string]v1alpha1.Scope{
		"project":             {Level: v1alpha1.ScopeProject},
		"department research": {Level: v1alpha1.ScopeDepartment, Department: "research"},
		"department sales":    {Level: v1alpha1.ScopeDepartment, Department: "sales"},
		"department of none":  {Level: v1alpha1.ScopeDepartment},
		"cluster":             {Level: v1alpha1.ScopeCluster},
		"unknown":             {Level: "tenant"},
	}
	for scopeName, scope := range scopes {
		for from, home := range places {
			for to, project := range places {
				name := fmt.Sprintf("%s %s → %s", scopeName, from, to)
				if got := credential.Covers(scope, home, project); got != covered[name] {
					t.Errorf("%s: %v", name, got)
				}
			}
		}
	}
}
