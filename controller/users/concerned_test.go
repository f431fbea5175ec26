// SPDX-License-Identifier: Apache-2.0

package users

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/usage"
)

// TestUsersAreWhatPodsGet holds the counts against a plain reading of what each
// workload would get, in clusters of all kinds.
func TestUsersAreWhatPodsGet(t *testing.T) {
	for seed := range uint64(30) {
		checkAgainstReading(t, seed)
	}
}

func checkAgainstReading(t *testing.T, seed uint64) {
	t.Helper()
	c, random := newCluster(t), rand.New(rand.NewPCG(seed, seed))
	places := []string{"system", "home", "a", "b", "plain"}
	any := func(names ...string) string { return names[random.IntN(len(names))] }
	name := func() v1alpha1.AssetName { return v1alpha1.AssetName(any("x", "y")) }
	for _, place := range places {
		for _, n := range []string{"x", "y"} {
			key := place + "/" + n
			if random.IntN(2) > 0 {
				c.credential(key)
			}
			if random.IntN(2) > 0 {
				c.assets(environment(key, name()))
			}
			if random.IntN(2) > 0 {
				c.assets(dataSource(key, name()))
			}
			if random.IntN(2) > 0 {
				c.assets(template(key, name(), []v1alpha1.AssetName{name()}, name()))
			}
		}
	}
	before := map[string]string{}
	c.index.Notify(func(change usage.Change) { checkConcerned(c, seed, before, change) })
	for i := range 20 {
		var asks []string
		for _, key := range []string{"credentials", "environment", "data-sources", "template"} {
			if random.IntN(3) == 0 {
				asks = append(asks, key, any("x", "y"))
			}
		}
		before = usersOfAll(c)
		c.set(deployment(fmt.Sprintf("%s/w%d", any("a", "b", "plain"), i%8), asks...))
	}
	want := plainReading(c)
	for id, users := range usersOfAll(c) {
		if diff := cmp.Diff(strings.Join(slices.Sorted(slices.Values(want[id])), " "), users); diff != "" {
			t.Fatalf("seed %d: users of %s (-want +got):\n%s", seed, id, diff)
		}
	}
}

// usersOfAll are the workloads that use each object, by its name.
func usersOfAll(c *cluster) map[string]string {
	all := map[string]string{}
	for _, kind := range append(slices.Clone(asset.Kinds), asset.Credential) {
		for place := range scopes {
			for _, n := range []string{"x", "y"} {
				id := catalog.Object{Kind: kind, NamespacedName: types.NamespacedName{Namespace: place, Name: n}}
				if used, known := c.UsersOf(kind, id.NamespacedName); known {
					var names []string
					for _, user := range used.Names[:used.Workloads] {
						names = append(names, strings.TrimPrefix(user, "Deployment "))
					}
					all[id.String()] = strings.Join(names, " ")
				}
			}
		}
	}
	return all
}

// checkConcerned fails if the users of something changed that a change is not about.
func checkConcerned(c *cluster, seed uint64, before map[string]string, change usage.Change) {
	concerned := c.ConcernedAssets(change)
	keys, err := c.Concerned(c.Context(), change)
	if err != nil {
		c.Fatal(err)
	}
	for _, key := range keys {
		concerned = concerned.Union(sets.New(catalog.Object{Kind: asset.Credential, NamespacedName: key}))
	}
	told := sets.New[string]()
	for id := range concerned {
		told.Insert(id.String())
	}
	for id, users := range usersOfAll(c) {
		if users != before[id] && !told.Has(id) {
			c.Errorf("seed %d: nobody was told that the users of %s changed from %q to %q", seed, id, before[id], users)
		}
	}
}

// plainReading reads for each workload what it gets: all that its names mean, and
// that names in these mean to them.
func plainReading(c *cluster) map[string][]string {
	got := map[string][]string{}
	var follow func(workload string, kind asset.Kind, name string, from credential.Place)
	follow = func(workload string, kind asset.Kind, name string, from credential.Place) {
		var id catalog.Object
		var inside *asset.Asset
		if kind == asset.Credential {
			entry, ok := c.Catalog.Lookup(from, name)
			if !ok {
				return
			}
			id = catalog.Object{Kind: kind, NamespacedName: entry.NamespacedName}
		} else {
			a, ok := c.Catalog.LookupAsset(kind, from, name)
			if !ok {
				return
			}
			id, inside = catalog.IDOf(a), a
		}
		if !slices.Contains(got[id.String()], workload) {
			got[id.String()] = append(got[id.String()], workload)
		}
		if inside == nil {
			return
		}
		if place, ok := c.Catalog.Inside(inside); ok {
			for _, reference := range inside.References() {
				follow(workload, reference.Kind, reference.Name, place)
			}
		}
	}
	for _, namespace := range []string{"a", "b", "plain"} {
		place, _ := c.Catalog.Place(namespace)
		for _, kind := range append(slices.Clone(asset.Kinds), asset.Credential) {
			for _, n := range []string{"x", "y"} {
				query := usage.Query{Kind: string(kind), Name: n, Namespaces: []string{namespace}}
				if kind == asset.Credential {
					query.Kind = ""
				}
				for _, user := range c.index.Users(query).Workloads {
					follow(user.NamespacedName.String(), kind, n, place)
				}
			}
		}
	}
	return got
}

// TestConcernedByAssets holds that a change of an asset concerns all whose users it
// changes.
func TestConcernedByAssets(t *testing.T) {
	for seed := range uint64(60) {
		c, random := newCluster(t), rand.New(rand.NewPCG(seed, 1))
		any := func(names ...string) string { return names[random.IntN(len(names))] }
		name := func() v1alpha1.AssetName { return v1alpha1.AssetName(any("x", "y")) }
		for _, place := range []string{"system", "home", "a", "b"} {
			c.credential(place + "/" + any("x", "y"))
		}
		for i := range 8 {
			c.set(deployment(fmt.Sprintf("%s/w%d", any("a", "b"), i), any("environment", "data-sources", "template"), any("x", "y")))
		}
		now := map[catalog.Object]client.Object{}
		for generation := range int64(40) {
			key := any("system", "home", "a", "b") + "/" + any("x", "y")
			made := []client.Object{environment(key, name()), dataSource(key, name()), template(key, name(), []v1alpha1.AssetName{name()})}[random.IntN(3)]
			made.SetGeneration(generation)
			id := catalog.IDOf(asset.New(made))
			before, change := usersOfAll(c), feed.Change{After: made}
			if old := now[id]; old != nil {
				change.Before = old
			}
			if random.IntN(3) == 0 && change.Before != nil {
				change.After = nil
				delete(now, id)
				c.Catalog.RemoveAsset(id.Kind, id.NamespacedName)
			} else {
				now[id] = made
				c.assets(made)
			}
			told := sets.New[string]()
			for id := range c.ConcernedBy(change) {
				told.Insert(id.String())
			}
			for id, users := range usersOfAll(c) {
				if was, known := before[id]; known && was != users && !told.Has(id) {
					t.Fatalf("seed %d: %s changed, and nobody was told that the users of %s are %q, no longer %q", seed, key, id, users, was)
				}
			}
		}
	}
}

func TestConcernedByOthers(t *testing.T) {
	c := newCluster(t)
	for name, change := range map[string]feed.Change{
		"a credential": {After: &v1alpha1.Credential{ObjectMeta: metaOf("a/x")}},
		"a namespace":  {Before: feed.Namespace(), After: feed.Namespace()},
		"a status":     {Before: environment("a/x"), After: environment("a/x", "key")},
	} {
		if got := c.ConcernedBy(change); got != nil {
			t.Errorf("%s concerns %v", name, got)
		}
	}
}
