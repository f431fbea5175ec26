// SPDX-License-Identifier: Apache-2.0

package users

import (
	"cmp"
	"slices"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/usage"
)

// split returns the query of a Credential without the namespaces where another
// Secret has its name, and one for these: who reads that Secret uses it and not the
// credential, so only names in annotations count there.
func (c *Counter) split(of *v1alpha1.Credential) (own, taken usage.Query) {
	own = c.Query(of)
	taken = usage.Query{Name: of.Name}
	if len(of.Status.TakenNamespaces) == 0 {
		return own, taken
	}
	all := own.Namespaces
	own.Namespaces = nil
	for _, namespace := range all {
		if slices.Contains(of.Status.TakenNamespaces, namespace) {
			taken.Namespaces = append(taken.Namespaces, namespace)
		} else {
			own.Namespaces = append(own.Namespaces, namespace)
		}
	}
	return own, taken
}

// join adds the users of one query to those of another.
func join(all, more usage.Users) usage.Users {
	merge := func(a, b []usage.User) []usage.User {
		if len(b) == 0 {
			return a
		}
		return slices.SortedFunc(slices.Values(slices.Concat(a, b)), func(a, b usage.User) int {
			return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
		})
	}
	return usage.Users{
		Workloads:  merge(all.Workloads, more.Workloads),
		Templates:  merge(all.Templates, more.Templates),
		Automatic:  merge(all.Automatic, more.Automatic),
		Namespaces: slices.Sorted(slices.Values(slices.Concat(all.Namespaces, more.Namespaces))),
	}
}
