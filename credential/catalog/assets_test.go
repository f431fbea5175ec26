// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
)

// A name inside an asset means what covers all of the asset's scope, and never what
// some project of it has.
func TestNamesInsideAssets(t *testing.T) {
	c := company()
	for _, one := range []*catalog.Entry{
		entry(system, "a", cluster), entry("research-home", "a", department("research")), entry("team-a", "a", project),
		entry(system, "of-research", department("research")), entry("team-a", "of-team-a", project),
	} {
		c.Set(one)
		c.SetAsset(assetLike(one, asset.DataSource))
	}
	c.SetAsset(assetLike(entry(system, "of-another-kind", cluster), asset.Environment))
	for name, test := range map[string]struct {
		of   *catalog.Entry
		want map[string]string // where what a name means is
	}{
		"of the cluster":          {entry(system, "x", cluster), map[string]string{"a": system}},
		"of a department":         {entry(system, "x", department("research")), map[string]string{"a": "research-home", "of-research": system}},
		"of a department at home": {entry("research-home", "x", department("research")), map[string]string{"a": "research-home", "of-research": system}},
		"of another department":   {entry(system, "x", department("sales")), map[string]string{"a": system}},
		"of a project":            {entry("team-a", "x", project), map[string]string{"a": "team-a", "of-research": system, "of-team-a": "team-a"}},
		"of another project":      {entry("team-b", "x", project), map[string]string{"a": "research-home", "of-research": system}},
		"of no project":           {entry("other", "x", project), nil},
		"where it does not fit":   {entry("team-a", "x", cluster), nil},
	} {
		t.Run(name, func(t *testing.T) {
			inside, ok := c.Inside(assetLike(test.of, asset.Environment))
			if ok != (test.want != nil) {
				t.Fatalf("covers something: %t", ok)
			}
			if !ok {
				return
			}
			credentials, sources := map[string]string{}, map[string]string{}
			for _, name := range []string{"a", "of-research", "of-team-a", "of-another-kind", "nothing"} {
				if found, ok := c.Lookup(inside, name); ok {
					credentials[name] = found.Namespace
				}
				if found, ok := c.LookupAsset(asset.DataSource, inside, name); ok {
					sources[name] = found.Namespace
				}
			}
			if diff := cmp.Diff(test.want, credentials); diff != "" {
				t.Errorf("credentials (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want, sources); diff != "" {
				t.Errorf("data sources (-want +got):\n%s", diff)
			}
			if visible := c.VisibleAssets(asset.DataSource, inside); len(visible) != len(test.want) {
				t.Errorf("visible are %q, want those of %v", visible, test.want)
			}
		})
	}
	if names := c.VisibleAssets(asset.DataSource, place(t, c, "team-a")); !cmp.Equal(names, []string{"a", "of-research", "of-team-a"}) {
		t.Errorf("a project sees %q", names)
	}
}

// What covers a part of an extent is found by its name, and what is apart from it,
// covers it, or is of another kind is not.
func TestNarrower(t *testing.T) {
	c := company()
	for _, one := range []*catalog.Entry{
		entry(system, "wide", cluster), entry(system, "sales", department("sales")),
		entry("team-b", "both", project), entry("team-a", "both", project), entry("other", "nowhere", project),
	} {
		c.Set(one)
		c.SetAsset(assetLike(one, asset.Environment))
	}
	for name, test := range map[string]struct {
		scope  v1alpha1.Scope
		wanted string
		want   string
	}{
		"a department's of the cluster":    {cluster, "sales", system},
		"a project's of the cluster":       {cluster, "both", "team-a"},
		"a project's of a department":      {department("research"), "both", "team-a"},
		"another department's":             {department("research"), "sales", ""},
		"another department's project":     {department("sales"), "both", ""},
		"as wide":                          {cluster, "wide", ""},
		"wider":                            {department("research"), "wide", ""},
		"one in a place that does not fit": {cluster, "nowhere", ""},
		"none":                             {cluster, "nothing", ""},
	} {
		t.Run(name, func(t *testing.T) {
			extent := credential.Extent{Scope: test.scope, Home: place(t, c, system)}
			for _, kind := range []asset.Kind{asset.Credential, asset.Environment} {
				found, ok := c.Narrower(kind, extent, test.wanted)
				if found.Namespace != test.want || ok != (test.want != "") {
					t.Errorf("%s: found %q in %q, want it in %q", kind, found.Name, found.Namespace, test.want)
				}
			}
			if found, ok := c.Narrower(asset.DataSource, extent, test.wanted); ok {
				t.Errorf("found one of another kind: %v", found)
			}
		})
	}
}

// An asset that is gone is not found, and leaves credentials of its name alone.
func TestRemoveAsset(t *testing.T) {
	c := company()
	one := entry("team-a", "a", project)
	c.Set(one)
	for _, kind := range asset.Kinds {
		c.SetAsset(assetLike(one, kind))
	}
	changed := c.Changed()
	c.RemoveAsset(asset.Environment, one.NamespacedName)
	select {
	case <-changed:
	default:
		t.Error("nobody is told")
	}
	if _, ok := c.LookupAsset(asset.Environment, place(t, c, "team-a"), "a"); ok {
		t.Error("it is still there")
	}
	if len(c.Assets()) != 2 {
		t.Errorf("left are %v, want those of the other kinds", c.Assets())
	}
	if _, ok := c.Lookup(place(t, c, "team-a"), "a"); !ok {
		t.Error("the credential is gone, too")
	}
	c.RemoveAsset(asset.Environment, entry("team-b", "never-was", project).NamespacedName)
}
