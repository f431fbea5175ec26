// SPDX-License-Identifier: Apache-2.0

package users

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/usage"
)

// AskIn asks who uses a Credential in some namespaces: by its name or its Secret,
// where the name means it, or by an asset that gives it.
func (c *Counter) AskIn(about *v1alpha1.Credential, namespaces ...string) []usage.Query {
	self, own := client.ObjectKeyFromObject(about), Ask(about)
	for _, namespace := range namespaces {
		place, _ := c.Catalog.Place(namespace)
		if meant, ok := c.Catalog.Lookup(place, about.Name); ok && meant.NamespacedName == self {
			own.Namespaces = append(own.Namespaces, namespace)
		}
	}
	return append([]usage.Query{own}, c.through(about, namespaces, c.means)...)
}

// AskBeyond asks the same of namespaces that may be in no scope any more: names count
// there that mean nothing, but not those that mean something else. Whoever names an
// asset counts as injected if it has the credential's Secret.
func (c *Counter) AskBeyond(about *v1alpha1.Credential, namespaces ...string) []usage.Query {
	queries := c.through(about, namespaces, func(id catalog.Object, namespace string) bool {
		place, _ := c.Catalog.Place(namespace)
		meant, any := c.Catalog.LookupAsset(id.Kind, place, id.Name)
		return !any || meant.NamespacedName == id.NamespacedName
	})
	for i := range queries {
		queries[i].Secret = credential.KubernetesName(about)
	}
	return append([]usage.Query{Ask(about, namespaces...)}, queries...)
}

// through asks who names an asset that gives a Credential, where that counts.
func (c *Counter) through(about *v1alpha1.Credential, namespaces []string, counts func(catalog.Object, string) bool) (queries []usage.Query) {
	for _, a := range c.giving(catalog.Object{Kind: asset.Credential, NamespacedName: client.ObjectKeyFromObject(about)}) {
		query := usage.Query{Kind: string(a.Kind), Name: a.Name}
		for _, namespace := range namespaces {
			if counts(catalog.IDOf(a), namespace) {
				query.Namespaces = append(query.Namespaces, namespace)
			}
		}
		if len(query.Namespaces) > 0 {
			queries = append(queries, query)
		}
	}
	return queries
}

// NamespacesOf returns the namespaces in which workloads or PodTemplates use a
// Credential, by whatever way. Somebody who reads another's Secret of its name counts
// too: what a reference means is not told apart before the copy is tried.
func (c *Counter) NamespacesOf(about *v1alpha1.Credential) []string {
	of := subjectOf(about)
	of.isnt = nil
	return c.Index.UsedIn(append(c.queries(of), c.queriesOf(c.giving(of.Object))...)...)
}
