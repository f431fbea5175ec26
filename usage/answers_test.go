// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// answers are all that an index can be asked about this world, by what it is about.
func answers(t *testing.T, x *Index) map[string]string {
	all := map[string]string{}
	for _, namespace := range []string{"a", "b"} {
		for _, name := range []string{"c0", "c1"} {
			q := Query{Name: name, Secret: "secret-" + name, Namespaces: []string{namespace}}
			users := x.Users(q)
			all[namespace+"/"+name+" users"] = fmt.Sprint(users)
			all[namespace+"/"+name+" readers"] = fmt.Sprint(x.Readers(q))
			checkAnswers(t, x, q)
			together := []Query{{Name: name, Secret: q.Secret, Namespaces: []string{"a", "b"}}}
			for _, kind := range assetKinds {
				asset := Query{Kind: kind, Name: name, Namespaces: []string{namespace}}
				users := x.Users(asset)
				all[namespace+"/"+name+" "+kind] = fmt.Sprint(users)
				if len(users.Automatic) > 0 {
					t.Fatalf("%s %s/%s is used automatically: %v", kind, namespace, name, users)
				}
				if x.IsUsed(asset) && !slices.Contains(x.Namespaces(kind, name), namespace) {
					t.Fatalf("%s %s has users in %s, which is not among %v", kind, name, namespace, x.Namespaces(kind, name))
				}
				together = append(together, asset)
			}
			checkAnswers(t, x, together...)
		}
	}
	return all
}

// checkAnswers fails if the index says of users in one way what it denies in another.
func checkAnswers(t *testing.T, x *Index, queries ...Query) {
	users := x.Users(queries...)
	var namespaces []string
	for _, user := range slices.Concat(users.Workloads, users.Templates, users.Automatic) {
		namespaces = append(namespaces, user.Namespace)
	}
	slices.Sort(namespaces)
	if used := x.UsedIn(queries...); !slices.Equal(used, slices.Compact(namespaces)) {
		t.Fatalf("UsedIn says %v of %v, whose users are %v", used, queries, users)
	}
	if used := x.IsUsed(queries...); used != (len(namespaces) > 0) {
		t.Fatalf("IsUsed says %t of %v, whose users are %v", used, queries, users)
	}
	const names = 2
	want := Summary{len(users.Workloads), len(users.Templates), len(users.Automatic), users.Workloads, users.Templates}
	want.FirstWorkloads = want.FirstWorkloads[:min(names, want.Workloads)]
	want.FirstTemplates = want.FirstTemplates[:min(names, want.Templates)]
	if got := x.Summarize(names, queries...); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("Summarize says %v of %v, want %v", got, queries, want)
	}
	// It may end early only with as many workloads as were asked for.
	for most := 1; most <= want.Workloads+1; most++ {
		got := x.summarize(names, most, queries)
		if got.Workloads != min(most, want.Workloads) || len(got.FirstWorkloads) != min(names, most, want.Workloads) && most >= names {
			t.Fatalf("up to %d workloads it is %v of %v, want %v", most, got, queries, want)
		}
		if most > want.Workloads && (got.Templates != min(most, want.Templates) || got.Automatic != min(most, want.Automatic)) {
			t.Fatalf("up to %d it is %v of %v, want %v", most, got, queries, want)
		}
	}
}

// checkTold fails if an answer has changed that nobody was told of.
func (h *history) checkTold(t *testing.T, before, after map[string]string) {
	t.Helper()
	for about := range after {
		namespace, name := about[:1], about[2:4]
		told := h.told[namespace+"/secret/secret-"+name]
		switch what := about[5:]; {
		case what == "users":
			told = told || h.told[namespace+"/credential/"+name]
		case slices.Contains(assetKinds, what):
			told = h.told[namespace+"/"+what+"/"+name]
		}
		if before[about] != after[about] && !told {
			t.Errorf("nobody was told that %s changed from %s to %s", about, before[about], after[about])
		}
	}
}

// checkBooks fails if the index holds more or less than one made from scratch, or
// its cross references disagree.
func checkBooks(t *testing.T, got, want *Index) {
	t.Helper()
	if len(got.groups) != len(want.groups) || len(got.names) != len(want.names) {
		t.Errorf("%d groups and %d names are held, want %d and %d", len(got.groups), len(got.names), len(want.groups), len(want.names))
	}
	if diff := cmp.Diff(namespacesOfAssets(want), namespacesOfAssets(got)); diff != "" {
		t.Errorf("where assets are named (-want +got):\n%s", diff)
	}
	for kind, p := range got.kinds {
		if len(p.objects) != len(want.population(kind).objects) {
			t.Errorf("%d objects of kind %s are held, want %d", len(p.objects), kind.Value(), len(want.population(kind).objects))
		}
		for key, h := range p.objects {
			if h.group.members[h.at] != h || h.Name != key.name || got.groups[h.Shape] != h.group {
				t.Errorf("%s is not where it is looked for", key)
			}
		}
	}
	for _, g := range got.groups {
		for i := range g.links {
			if l := &g.links[i]; l.from != g || l.to.by[l.at] != l || got.names[l.to.ID] != l.to {
				t.Errorf("a reference to %s is not where it is looked for", l.to.Name)
			}
		}
	}
}

func namespacesOfAssets(x *Index) map[string][]string {
	all := map[string][]string{}
	for id := range x.assets {
		kind := id.Kind.Value().Kind
		all[kind+" "+id.Name] = slices.Sorted(slices.Values(x.Namespaces(kind, id.Name)))
	}
	return all
}
