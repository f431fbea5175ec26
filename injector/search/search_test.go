// SPDX-License-Identifier: Apache-2.0

package search_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/credence-dev/credence/injector/search"
)

// lengths are those of a short list, of the longest that is gone through, and of
// longer ones.
var lengths = []int{0, 1, 2, 31, 32, 33, 34, 100, 300}

// pathsOf makes clean paths of which many are the same or below one another, and some
// have characters that sort before "/".
func pathsOf(n, seed int) []string {
	paths := make([]string, n)
	for i := range paths {
		var path strings.Builder
		for rest := i*i*seed + 7*i + seed; ; rest /= 5 {
			path.WriteString("/" + []string{"a", "b", "a-", "a.b", "ab"}[rest%5])
			if rest < 5 {
				break
			}
		}
		paths[i] = path.String()
	}
	return paths
}

func TestIndex(t *testing.T) {
	for _, n := range lengths {
		list := make([]int, n)
		for i := range list {
			list[i] = i * i % 17
		}
		name := func(i *int) string { return fmt.Sprint(*i) }
		index := search.NewIndex(list, name)
		for wanted := range 18 {
			for from := range n + 1 {
				want := slices.Index(list[from:], wanted)
				if want >= 0 {
					want += from
				}
				if got := index.Next(fmt.Sprint(wanted), from); got != want {
					t.Fatalf("of %d: %d from %d is at %d, got %d", n, wanted, from, want, got)
				}
			}
			if got := index.Has(fmt.Sprint(wanted)); got != slices.Contains(list, wanted) {
				t.Errorf("of %d: has %d: %t", n, wanted, got)
			}
		}
	}
}

func TestTree(t *testing.T) {
	for _, n := range lengths {
		for seed := range 4 {
			paths := pathsOf(n, seed)
			tree := search.NewTree(paths)
			for _, path := range append(pathsOf(400, seed+1), paths...) {
				var want []int32
				for i, other := range paths {
					if other == path || strings.HasPrefix(other, path+"/") {
						want = append(want, int32(i))
					}
				}
				if got := tree.AtOrBelow(path, nil); !slices.Equal(got, want) {
					t.Fatalf("of %d: at or below %s: want %v, got %v", n, path, want, got)
				}
			}
		}
	}
}

func TestPaths(t *testing.T) {
	for _, n := range lengths {
		for seed := range 4 {
			var paths search.Paths
			var list []string
			for i, path := range append(pathsOf(n, seed), pathsOf(n, seed+1)...) {
				path = fmt.Sprintf("/%d%s", i%(n/2+1), path)
				want := slices.IndexFunc(list, func(other string) bool {
					return other == path || strings.HasPrefix(other, path+"/") || strings.HasPrefix(path, other+"/")
				})
				if got := paths.Conflict(path); got != want {
					t.Fatalf("of %v: %s conflicts with %d, got %d", list, path, want, got)
				}
				if want < 0 {
					paths.Add(path)
					list = append(list, path)
				}
			}
			if n == 300 && len(list) < 100 {
				t.Errorf("only %d paths could be added", len(list))
			}
		}
	}
}

// TestShortListsCostNothing holds that an ordinary pod pays nothing.
func TestShortListsCostNothing(t *testing.T) {
	list := pathsOf(32, 1)
	name := func(s *string) string { return *s }
	allocations := testing.AllocsPerRun(100, func() {
		index, tree := search.NewIndex(list, name), search.NewTree(list)
		var found [32]int32
		if !index.Has(list[31]) || len(tree.AtOrBelow(list[31], found[:0])) == 0 {
			t.Error("not found")
		}
	})
	if allocations > 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func TestBelow(t *testing.T) {
	for name, test := range map[string]struct {
		child, parent string
		want          bool
	}{
		"below":          {"/a/b", "/a", true},
		"deep below":     {"/a/b/c", "/a", true},
		"the same":       {"/a", "/a", false},
		"above":          {"/a", "/a/b", false},
		"beside":         {"/ab", "/a", false},
		"relative files": {"a/b", "a", true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := search.Below(test.child, test.parent); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
