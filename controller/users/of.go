// SPDX-License-Identifier: Apache-2.0

package users

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/usage"
)

// UsersOf is CountUsers for those who wait for the answer. A count of usage.MaxCounted
// stands for more, too; whether there are any is exact. It costs no request, and no more for
// more pods or more workloads.
func (c *Counter) UsersOf(kind asset.Kind, key types.NamespacedName) (used v1alpha1.UsedBy, known bool) {
	return c.users(kind, key, c.Index.SummarizeBriefly)
}

// CountUsers counts the users of a Credential, or of an asset, and names the first of
// them; usage.Numbers has words for it. It is not known while the index or the catalog
// is not complete, or the catalog does not have the object.
func (c *Counter) CountUsers(kind asset.Kind, key types.NamespacedName) (used v1alpha1.UsedBy, known bool) {
	return c.users(kind, key, c.Index.Summarize)
}

func (c *Counter) users(kind asset.Kind, key types.NamespacedName, summarize summarize) (used v1alpha1.UsedBy, known bool) {
	if !c.Index.Synced() || c.Feed != nil && !c.Feed.Synced() {
		return used, false
	}
	of, known := c.subjectOf(catalog.Object{Kind: kind, NamespacedName: key})
	if !known {
		return used, false
	}
	return c.usersOf(of.Object, c.queries(of), summarize), true
}

// summarize is how the index is asked.
type summarize func(names int, queries ...usage.Query) usage.Summary

// subject is a Credential or an asset of which users are asked for.
type subject struct {
	catalog.Object
	scope v1alpha1.Scope
	// secret is the name of the Secret that pods refer to, empty for an asset. Isn't
	// says in which namespaces another one has the name, nil for none: who reads that
	// one uses it and not the credential, so only names count there.
	secret string
	isnt   func(namespace string) bool
}

func (c *Counter) subjectOf(id catalog.Object) (of subject, known bool) {
	of.Object = id
	if id.Kind != asset.Credential {
		a, ok := c.Catalog.Asset(id)
		if ok {
			of.scope = a.Scope
		}
		return of, ok
	}
	entry, ok := c.Catalog.Credential(id.NamespacedName)
	if ok {
		of.scope, of.secret, of.isnt = entry.Scope, entry.KubernetesName, entry.Taken
	}
	return of, ok
}

func subjectOf(c *v1alpha1.Credential) subject {
	of := subject{
		Object: catalog.Object{Kind: asset.Credential, NamespacedName: client.ObjectKeyFromObject(c)},
		scope:  c.Spec.Scope, secret: credential.KubernetesName(c),
	}
	if taken := c.Status.TakenNamespaces; len(taken) > 0 {
		of.isnt = func(namespace string) bool { return slices.Contains(taken, namespace) }
	}
	return of
}

// usersOf counts who uses something: whom its own queries find, the assets that refer
// to it, and who uses those.
func (c *Counter) usersOf(id catalog.Object, own []usage.Query, summarize summarize) v1alpha1.UsedBy {
	giving := c.giving(id)
	found := summarize(v1alpha1.MaxStatusUsers, append(own, c.queriesOf(giving)...)...)
	var templates, others []usage.User
	used := v1alpha1.UsedBy{Workloads: int32(found.Workloads), Templates: int32(found.Templates), Automatic: int32(found.Automatic)}
	for _, a := range giving {
		user := usage.User{Kind: string(a.Kind), NamespacedName: a.NamespacedName}
		switch a.Kind {
		case asset.WorkloadTemplate:
			used.Templates++
			templates = append(templates, user)
			continue
		case asset.Environment:
			used.Environments++
		case asset.DataSource:
			used.DataSources++
		}
		others = append(others, user)
	}
	used.Total = used.Workloads + used.Templates + used.Environments + used.DataSources
	templates = slices.Concat(templates, found.FirstTemplates)
	slices.SortFunc(templates, usage.User.Compare)
	slices.SortStableFunc(others, func(a, b usage.User) int { return cmp.Compare(b.Kind, a.Kind) }) // environments first
	used.Names = namesOf(found.FirstWorkloads, append(templates, others...))
	return used
}

// namesForOthers of the names in a status are kept for what is no workload: it is
// there that a credential is detached from many workloads at once.
const namesForOthers = v1alpha1.MaxStatusUsers / 4

// namesOf names workloads, and then others, no more than a status may.
func namesOf(workloads, others []usage.User) (names []string) {
	room := v1alpha1.MaxStatusUsers - min(len(others), namesForOthers)
	for _, user := range slices.Concat(workloads[:min(len(workloads), room)], others) {
		if len(names) < v1alpha1.MaxStatusUsers {
			names = append(names, user.String())
		}
	}
	return names
}

// queries ask who names something, or reads its Secret, in the projects where its
// name means it.
func (c *Counter) queries(of subject) []usage.Query {
	if of.Kind != asset.Credential {
		return []usage.Query{c.queryOf(of.Object)}
	}
	own, other := usage.Query{Name: of.Name, Secret: of.secret}, usage.Query{Name: of.Name}
	for _, place := range c.Catalog.Reach(of.scope, of.Namespace) {
		if meant, ok := c.Catalog.Lookup(place, of.Name); !ok || meant.NamespacedName != of.NamespacedName {
			continue
		}
		if of.isnt != nil && of.isnt(place.Namespace) {
			other.Namespaces = append(other.Namespaces, place.Namespace)
		} else {
			own.Namespaces = append(own.Namespaces, place.Namespace)
		}
	}
	if len(other.Namespaces) == 0 {
		return []usage.Query{own}
	}
	return []usage.Query{own, other}
}

// queriesOf ask who names assets, where their names mean them.
func (c *Counter) queriesOf(assets []*asset.Asset) []usage.Query {
	queries := make([]usage.Query, 0, len(assets))
	for _, a := range assets {
		if query := c.queryOf(catalog.IDOf(a)); len(query.Namespaces) > 0 {
			queries = append(queries, query)
		}
	}
	return queries
}

// queryOf asks who names an asset. Few of the projects that it covers do, so it goes
// by who does.
func (c *Counter) queryOf(id catalog.Object) usage.Query {
	query := usage.Query{Kind: string(id.Kind), Name: id.Name}
	for _, namespace := range c.Index.Namespaces(query.Kind, query.Name) {
		if c.means(id, namespace) {
			query.Namespaces = append(query.Namespaces, namespace)
		}
	}
	return query
}

// means says whether the name of an asset means it in a namespace.
func (c *Counter) means(id catalog.Object, namespace string) bool {
	place, _ := c.Catalog.Place(namespace)
	a, ok := c.Catalog.LookupAsset(id.Kind, place, id.Name)
	return ok && a.NamespacedName == id.NamespacedName
}

// giving returns the assets through which something gets into pods: those that refer
// to it, and the templates that refer to these. Sorted are those of each step.
func (c *Counter) giving(id catalog.Object) []*asset.Asset {
	all := c.Catalog.ReferringTo(id)
	known := sets.New[catalog.Object]()
	for _, a := range all {
		known.Insert(catalog.IDOf(a))
	}
	for _, direct := range all {
		for _, a := range c.Catalog.ReferringTo(catalog.IDOf(direct)) {
			if id := catalog.IDOf(a); !known.Has(id) {
				known.Insert(id)
				all = append(all, a)
			}
		}
	}
	return all
}
