// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
)

// shown gives the credential a display name.
func shown(as string) func(*v1alpha1.Credential) {
	return func(c *v1alpha1.Credential) { c.Spec.DisplayName = as }
}

func going(c *v1alpha1.Credential) { c.DeletionTimestamp = &metav1.Time{} }

// what describes a rival in one line.
func what(rival catalog.Rival) string {
	relations := map[credential.Relation]string{credential.Narrower: "narrower", credential.Equal: "equal", credential.Wider: "wider"}
	line := fmt.Sprintf("%s %s (%s)", relations[rival.Relation], rival.NamespacedName, rival.DisplayName)
	if rival.Deleting {
		line += " going"
	}
	return line
}

func TestRivals(t *testing.T) {
	for name, test := range map[string]struct {
		others []*catalog.Entry
		claim  *catalog.Entry
		want   []string
	}{
		"none":                        {claim: entry("team-a", "x", project)},
		"itself":                      {others: []*catalog.Entry{entry("team-a", "x", project)}, claim: entry("team-a", "x", project)},
		"project under cluster":       {others: []*catalog.Entry{entry(system, "x", cluster)}, claim: entry("team-a", "x", project), want: []string{"wider " + system + "/x (x)"}},
		"project under department":    {others: []*catalog.Entry{entry(system, "x", department("research"))}, claim: entry("team-a", "x", project), want: []string{"wider " + system + "/x (x)"}},
		"project under home":          {others: []*catalog.Entry{entry("research-home", "x", department("research"))}, claim: entry("team-b", "x", project), want: []string{"wider research-home/x (x)"}},
		"project of another":          {others: []*catalog.Entry{entry("research-home", "x", department("research"))}, claim: entry("team-c", "x", project)},
		"project of none":             {others: []*catalog.Entry{entry(system, "x", department("research"))}, claim: entry("team-d", "x", project)},
		"project beside project":      {others: []*catalog.Entry{entry("team-b", "x", project)}, claim: entry("team-a", "x", project)},
		"department under cluster":    {others: []*catalog.Entry{entry(system, "x", cluster)}, claim: entry("research-home", "x", department("research")), want: []string{"wider " + system + "/x (x)"}},
		"home and system namespace":   {others: []*catalog.Entry{entry(system, "x", department("research"))}, claim: entry("research-home", "x", department("research")), want: []string{"equal " + system + "/x (x)"}},
		"home and another department": {others: []*catalog.Entry{entry(system, "x", department("sales"))}, claim: entry("research-home", "x", department("research"))},
		"cluster over all": {
			others: []*catalog.Entry{entry("team-d", "x", project), entry("team-a", "x", project), entry("research-home", "x", department("research")), entry("other", "x", project)},
			claim:  entry(system, "x", cluster),
			want:   []string{"narrower research-home/x (x)", "narrower team-a/x (x)", "narrower team-d/x (x)"},
		},
		"department over its projects": {
			others: []*catalog.Entry{entry("team-d", "x", project), entry("team-a", "x", project), entry("team-b", "x", project)},
			claim:  entry(system, "x", department("research")),
			want:   []string{"narrower team-a/x (x)", "narrower team-b/x (x)"},
		},
		"where it does not fit":           {others: []*catalog.Entry{entry(system, "x", cluster)}, claim: entry("team-a", "x", cluster)},
		"no project":                      {others: []*catalog.Entry{entry(system, "x", cluster)}, claim: entry("other", "x", project)},
		"another that does not fit":       {others: []*catalog.Entry{entry("other", "x", cluster), entry("team-b", "x", department("research"))}, claim: entry("team-a", "x", project)},
		"another name":                    {others: []*catalog.Entry{entry(system, "y", cluster)}, claim: entry("team-a", "x", project)},
		"display name":                    {others: []*catalog.Entry{entry(system, "y", cluster, shown("X"))}, claim: entry("team-a", "x", project, shown("X")), want: []string{"wider " + system + "/y (X)"}},
		"display name in another case":    {others: []*catalog.Entry{entry(system, "y", cluster, shown("x 1"))}, claim: entry("team-a", "x", project, shown("X 1"))},
		"display name in one project":     {others: []*catalog.Entry{entry("team-a", "y", project, shown("X"))}, claim: entry("team-a", "x", project, shown("X")), want: []string{"equal team-a/y (X)"}},
		"display name in two projects":    {others: []*catalog.Entry{entry("team-b", "y", project, shown("X"))}, claim: entry("team-a", "x", project, shown("X"))},
		"display name, for lack of one":   {others: []*catalog.Entry{entry(system, "y", cluster, shown("x"))}, claim: entry("team-a", "x", project), want: []string{"wider " + system + "/y (x)"}},
		"display name that is a name":     {others: []*catalog.Entry{entry(system, "y", cluster, shown("Y"))}, claim: entry("team-a", "x", project, shown("y")), want: []string{"wider " + system + "/y (Y)"}},
		"name that is a display name":     {others: []*catalog.Entry{entry(system, "y", cluster, shown("x"))}, claim: entry("team-a", "x", project, shown("X")), want: []string{"wider " + system + "/y (x)"}},
		"one that is going":               {others: []*catalog.Entry{entry(system, "x", cluster, going)}, claim: entry("team-a", "x", project), want: []string{"wider " + system + "/x (x) going"}},
		"the widest first, then in order": {others: []*catalog.Entry{entry("team-a", "b", project, shown("X")), entry("team-a", "a", project, shown("X")), entry("research-home", "x", department("research")), entry(system, "x", cluster)}, claim: entry("team-a", "x", project, shown("X")), want: []string{"wider " + system + "/x (x)", "wider research-home/x (x)", "equal team-a/a (X)", "equal team-a/b (X)"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := company()
			for _, other := range test.others {
				c.Set(other)
			}
			var got []string
			claim := test.claim.Claim(place(t, c, test.claim.Namespace))
			for _, rival := range c.Rivals(asset.Credential, claim) {
				got = append(got, what(rival))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if rivals := c.Rivals(asset.Environment, claim); len(rivals) > 0 {
				t.Errorf("credentials are rivals of an environment: %v", rivals)
			}
			for _, kind := range asset.Kinds {
				c, got := company(), []string(nil)
				for _, other := range test.others {
					c.SetAsset(assetLike(other, kind))
				}
				for _, rival := range c.Rivals(kind, catalog.AssetClaim(assetLike(test.claim, kind), claim.Home)) {
					got = append(got, what(rival))
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", kind, diff)
				}
			}
		})
	}
}

// assetLike is an asset with the names and the scope of a credential.
func assetLike(entry *catalog.Entry, kind asset.Kind) *asset.Asset {
	return &asset.Asset{
		Kind: kind, NamespacedName: entry.NamespacedName, DisplayName: entry.DisplayName, Scope: entry.Scope, DeletedAt: entry.DeletedAt,
		Environment: &v1alpha1.EnvironmentSpec{}, DataSource: &v1alpha1.DataSourceSpec{}, Template: &v1alpha1.WorkloadTemplateSpec{},
	}
}

// A claim may know that its namespace is a project before the catalog does.
func TestRivalsOfANewProject(t *testing.T) {
	c := company()
	c.Set(entry("brand-new", "y", project, shown("X")))
	claim := entry("brand-new", "x", project, shown("X")).Claim(credential.Place{Namespace: "brand-new", Project: "n"})
	if got := c.Rivals(asset.Credential, claim); len(got) != 1 || got[0].Relation != credential.Equal {
		t.Errorf("got %v, want the other of the project", got)
	}
}

func TestHomesOver(t *testing.T) {
	for name, test := range map[string]struct {
		namespace string
		scope     v1alpha1.Scope
		want      []string
	}{
		"project":                         {"team-a", project, []string{"research-home", system}},
		"project of no department":        {"team-d", project, []string{system}},
		"department in its home":          {"research-home", department("research"), []string{system}},
		"department in the system":        {system, department("research"), []string{"research-home"}},
		"department without a home":       {system, department("sales"), nil},
		"cluster":                         {system, cluster, nil},
		"no project":                      {"other", project, nil},
		"a department's, where it is not": {"team-a", department("research"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := company()
			got := c.HomesOver(entry(test.namespace, "x", test.scope).Claim(place(t, c, test.namespace)))
			if diff := cmp.Diff(test.want, got); diff != "" && len(got)+len(test.want) > 0 {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
