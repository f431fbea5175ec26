// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/usage/object"
)

// Warned is a workload with live pods whose author was warned when they were
// injected.
type Warned struct {
	Workload
	// Warnings are lines, one for each fact.
	Warnings string
}

// Warned returns the workloads at the top of those that control such pods, once for
// each set of warnings, sorted.
func (x *Index) Warned() []Warned {
	x.mu.RLock()
	defer x.mu.RUnlock()
	all := map[Warned]struct{}{}
	for _, g := range x.groups {
		if g.Warnings == "" || g.Owner == (object.Owner{}) {
			continue
		}
		top, _ := x.top(g)
		all[Warned{
			Workload{top.APIVersion, top.Kind.Value().Kind, types.NamespacedName{Namespace: g.Namespace, Name: top.Name}, top.UID}, g.Warnings,
		}] = struct{}{}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b Warned) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name),
			strings.Compare(string(a.UID), string(b.UID)), strings.Compare(a.Warnings, b.Warnings))
	})
}
