// SPDX-License-Identifier: Apache-2.0

package own_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/remark"
	"github.com/credence-dev/credence/webhook/own"
)

const system = "credence-credentials"

// company has two departments, of which research has a home.
func company() *catalog.Catalog {
	c := catalog.New(credential.DefaultLayout())
	for namespace, labels := range map[string]map[string]string{
		system:          nil,
		"research-home": {v1alpha1.LabelDepartmentHome: "research"},
		"team-a":        {v1alpha1.LabelProject: "a", v1alpha1.LabelDepartment: "research"},
		"team-b":        {v1alpha1.LabelProject: "b", v1alpha1.LabelDepartment: "research"},
		"team-c":        {v1alpha1.LabelProject: "c", v1alpha1.LabelDepartment: "sales"},
		"team-d":        {v1alpha1.LabelProject: "d"},
	} {
		c.SetNamespace(namespace, labels)
	}
	return c
}

// has is a credential: "<scope> <namespace>/<name>[ <display name>]", where the scope
// is "cluster", "project" or a department's id.
func has(t *testing.T, text string) *v1alpha1.Credential {
	t.Helper()
	fields := strings.SplitN(text, " ", 3)
	namespace, name, ok := strings.Cut(fields[1], "/")
	if !ok {
		t.Fatalf("%q is no credential", text)
	}
	c := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	c.Spec.Type, c.Spec.Scope = v1alpha1.Generic, v1alpha1.Scope{Level: v1alpha1.ScopeLevel(fields[0])}
	if fields[0] != "cluster" && fields[0] != "project" {
		c.Spec.Scope = v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: fields[0]}
	}
	if len(fields) == 3 {
		c.Spec.DisplayName = fields[2]
	}
	return c
}

func TestNames(t *testing.T) {
	sys := func(format string) string { return strings.ReplaceAll(format, "SYSTEM", system) }
	cases := map[string]struct {
		others   []string
		old, new string
		refused  string // "<field>: <message>"
		warnings []string
	}{
		"free": {others: []string{"cluster SYSTEM/x", "sales SYSTEM/z", "project team-b/y"}, new: "project team-a/y"},
		"project under cluster": {
			others: []string{"cluster SYSTEM/x"}, new: "project team-d/x",
			refused: `metadata.name: the name "x" is taken: credential "x" of the cluster covers the same projects; choose another`,
		},
		"project under department": {
			others: []string{"research research-home/x X"}, new: "project team-a/x",
			refused: `metadata.name: the name "x" is taken: credential "x" of department research covers the same projects; choose another`,
		},
		"project under both: the widest is named": {
			others: []string{"research research-home/x", "cluster SYSTEM/x"}, new: "project team-a/x",
			refused: `metadata.name: the name "x" is taken: credential "x" of the cluster covers the same projects; choose another`,
		},
		"project of another department": {others: []string{"research research-home/x X"}, new: "project team-c/x"},
		"department under cluster": {
			others: []string{"cluster SYSTEM/x"}, new: "research research-home/x",
			refused: `metadata.name: the name "x" is taken: credential "x" of the cluster covers the same projects; choose another`,
		},
		"one department, two places": {
			others: []string{"research SYSTEM/x"}, new: "research research-home/x",
			refused: `metadata.name: the name "x" is taken: credential "x" of department research covers the same projects; choose another`,
		},
		"one that is being deleted": {
			others: []string{"cluster SYSTEM/x -"}, new: "project team-a/x",
			refused: `metadata.name: the name "x" is taken until credential "x" of the cluster is gone, which is being deleted; choose another, or try again then`,
		},
		"cluster over all": {
			others: []string{"project team-a/x", "research research-home/x", "project team-d/x", "project team-c/x", "project team-b/x"}, new: "cluster SYSTEM/x",
			warnings: []string{`a narrower credential "x" is used instead of this one in department research, namespace team-a, namespace team-b and 2 more`},
		},
		"department over its project": {
			others: []string{"project team-a/x", "project team-d/x"}, new: "research SYSTEM/x",
			warnings: []string{`a narrower credential "x" is used instead of this one in namespace team-a`},
		},
		"display name of the cluster": {
			others: []string{"cluster SYSTEM/y Open AI"}, new: "project team-a/x Open AI",
			refused: `spec.displayName: the display name "Open AI" is taken: credential "y" of the cluster covers the same projects; choose another`,
		},
		"display name in the same project": {
			others: []string{"project team-a/y Open AI"}, new: "project team-a/x Open AI",
			refused: `spec.displayName: the display name "Open AI" is taken: credential "y" of this namespace covers the same projects; choose another`,
		},
		"display name in the cluster": {
			others: []string{"cluster SYSTEM/y Open AI"}, new: "cluster SYSTEM/x Open AI",
			refused: `spec.displayName: the display name "Open AI" is taken: credential "y" of the cluster covers the same projects; choose another`,
		},
		"no display name, and one is shown so": {
			others: []string{"cluster SYSTEM/y x"}, new: "project team-a/x",
			refused: `spec.displayName: the display name "x" is taken: credential "y" of the cluster covers the same projects; choose another`,
		},
		"display name of another project": {others: []string{"project team-b/y Open AI"}, new: "project team-a/x Open AI"},
		"display name of narrower ones": {
			others: []string{"project team-a/y Open AI", "project team-b/z Open AI"}, new: "research SYSTEM/x Open AI",
			warnings: []string{`a narrower credential is shown by the same name in namespace team-a, namespace team-b: "Open AI"`},
		},
		"a long display name": {
			others: []string{"project team-a/y " + strings.Repeat("ä", 120)}, new: "research SYSTEM/x " + strings.Repeat("ä", 120),
			warnings: []string{`a narrower credential is shown by the same name in namespace team-a: "` + strings.Repeat("ä", 63) + "…"},
		},
		"shown by what another is called": {
			others: []string{"cluster SYSTEM/y Y"}, new: "project team-a/x y",
			warnings: []string{`workloads that write "y" get credential "y" of the cluster; this one is only shown as that`},
		},
		"called what another is shown by": {
			others: []string{"research research-home/y x"}, new: "project team-a/x X",
			warnings: []string{`credential "y" of department research is shown as "x", which workloads write to get this one`},
		},
		"shown by what a narrower one is called": {
			others: []string{"project team-a/y Y"}, new: "cluster SYSTEM/x y",
			warnings: []string{`workloads that write "y" get credential "y" of namespace team-a; this one is only shown as that`},
		},
		"everything at once": {
			others:   []string{"project team-a/x X 1", "project team-b/y X", "project team-d/z x"},
			new:      "cluster SYSTEM/x X",
			warnings: []string{`a narrower credential "x" is used instead of this one in namespace team-a`, `a narrower credential is shown by the same name in namespace team-b: "X"`, `credential "z" of namespace team-d is shown as "x", which workloads write to get this one`},
		},
		"no project":         {others: []string{"cluster SYSTEM/x"}, new: "project default/x"},
		"where it fits not":  {others: []string{"cluster SYSTEM/x"}, new: "cluster team-a/x"},
		"nothing is renamed": {others: []string{"cluster SYSTEM/x X"}, old: "project team-a/x X", new: "project team-a/x X"},
		"renamed to what is free": {
			others: []string{"cluster SYSTEM/x X"}, old: "project team-a/x X", new: "project team-a/x Y",
		},
		"renamed to what is taken": {
			others: []string{"cluster SYSTEM/y Y"}, old: "project team-a/x X", new: "project team-a/x Y",
			refused: `spec.displayName: the display name "Y" is taken: credential "y" of the cluster covers the same projects; choose another`,
		},
		"the display name is removed": {
			others: []string{"cluster SYSTEM/y x"}, old: "project team-a/x X", new: "project team-a/x",
			refused: `spec.displayName: the display name "x" is taken: credential "y" of the cluster covers the same projects; choose another`,
		},
		"the name, written out": {others: []string{"cluster SYSTEM/y x"}, old: "project team-a/x", new: "project team-a/x x"},
		"widened over others": {
			others: []string{"project team-c/x"}, old: "research SYSTEM/x", new: "cluster SYSTEM/x",
			warnings: []string{`a narrower credential "x" is used instead of this one in namespace team-c`},
		},
		"widened to where its display name is taken": {
			others: []string{"cluster SYSTEM/y X"}, old: "research SYSTEM/x X", new: "cluster SYSTEM/x X",
			refused: `spec.displayName: the display name "X" is taken: credential "y" of the cluster covers the same projects; choose another`,
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			known := company()
			for _, other := range test.others {
				text, deleting := strings.CutSuffix(sys(other), " -")
				c := has(t, text)
				if deleting {
					c.DeletionTimestamp = &metav1.Time{}
				}
				known.Set(catalog.NewEntry(c))
			}
			claim := func(text string) catalog.Claim {
				c := has(t, sys(text))
				home, _ := known.Place(c.Namespace)
				return catalog.NewEntry(c).Claim(home)
			}
			var old *catalog.Claim
			if test.old != "" {
				before := claim(test.old)
				old = &before
				known.Set(catalog.NewEntry(has(t, sys(test.old))))
			}
			change := own.Changed(old, claim(test.new))
			rivals := known.Rivals(asset.Credential, claim(test.new))
			refused := ""
			if refusal := change.Refuse("credential", claim(test.new), rivals); refusal != nil {
				refused = fmt.Sprintf("%s: %s", refusal.Field, refusal.Message)
			}
			if refused != test.refused {
				t.Errorf("refused: %s\nwant:    %s", refused, test.refused)
			}
			if refused != "" {
				return
			}
			var warnings remark.Warnings
			change.Warn("credential", claim(test.new), rivals, &warnings)
			if diff := cmp.Diff(test.warnings, warnings.List()); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}
