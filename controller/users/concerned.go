// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"
	"fmt"

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

// IndexSecret is the field by which the cache of Credentials must be indexed: the
// name of the Secret that pods refer to.
const IndexSecret = "credence.secret"

// Concerned returns the Credentials that a change of the index is about: those that
// names mean or Secrets are of, and those that the named assets give.
func (c *Counter) Concerned(ctx context.Context, change usage.Change) ([]types.NamespacedName, error) {
	place, _ := c.Catalog.Place(change.Namespace)
	if !place.IsProject() {
		return nil, nil
	}
	var keys []types.NamespacedName
	for _, name := range change.Credentials {
		if meant, ok := c.Catalog.Lookup(place, name); ok {
			keys = append(keys, meant.NamespacedName)
		}
	}
	for _, secret := range change.Secrets {
		var list v1alpha1.CredentialList
		if err := c.Cache.List(ctx, &list, client.MatchingFields{IndexSecret: secret}, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("listing the Credentials of Secret %s/%s: %w", change.Namespace, secret, err)
		}
		for i := range list.Items {
			key := client.ObjectKeyFromObject(&list.Items[i])
			if meant, ok := c.Catalog.Lookup(place, key.Name); ok && meant.NamespacedName == key {
				keys = append(keys, key)
			}
		}
	}
	return append(keys, credentialsAmong(c.ConcernedAssets(change))...), nil
}

// ConcernedAssets returns the assets that a change of the index is about, and all
// that they give.
func (c *Counter) ConcernedAssets(change usage.Change) sets.Set[catalog.Object] {
	if len(change.Assets) == 0 { // most are about none
		return nil
	}
	place, _ := c.Catalog.Place(change.Namespace)
	concerned := sets.New[catalog.Object]()
	for _, named := range change.Assets {
		if a, ok := c.Catalog.LookupAsset(asset.Kind(named.Kind), place, named.Name); ok {
			c.given(a, concerned)
		}
	}
	return concerned
}

// given adds an asset and all that it gives: what it refers to, and they to. Three
// steps are all that there can be.
func (c *Counter) given(a *asset.Asset, all sets.Set[catalog.Object]) {
	all.Insert(catalog.IDOf(a))
	for _, reference := range a.References() {
		id, ok := c.Catalog.Meant(a, reference.Kind, reference.Name)
		if !ok || all.Has(id) {
			continue
		}
		all.Insert(id)
		if other, ok := c.Catalog.Asset(id); ok {
			c.given(other, all)
		}
	}
}

// ConcernedBy returns whose users a change of an asset may change: of the asset, of
// those that have its name in a part of its extent or in more, since it may take
// theirs or leave them its own, and of all that these give or gave. It is nil for a
// change of anything else, or of nothing but a status.
func (c *Counter) ConcernedBy(change feed.Change) sets.Set[catalog.Object] {
	if change.OnlyStatus() {
		return nil
	}
	var concerned sets.Set[catalog.Object]
	for _, object := range []client.Object{change.Before, change.After} {
		if object == nil {
			continue
		}
		a := asset.New(object)
		if a == nil {
			return nil
		}
		if concerned == nil {
			concerned = sets.New[catalog.Object]()
		}
		c.given(a, concerned)
		for _, other := range c.Catalog.AssetsNamed(a.Kind, a.Name) {
			if c.overlap(a, other) {
				c.given(other, concerned)
			}
		}
	}
	return concerned
}

func (c *Counter) overlap(a, b *asset.Asset) bool {
	return c.extentOf(a).RelationTo(c.extentOf(b)) != credential.Apart
}

func (c *Counter) extentOf(a *asset.Asset) credential.Extent {
	home, _ := c.Catalog.Place(a.Namespace)
	return credential.Extent{Scope: a.Scope, Home: home}
}

// GivenIn returns the names of the Credentials that the assets of some namespaces
// give, or others of their names: when one becomes, or ceases to be, a place for
// assets, it is the users of these that change.
func (c *Counter) GivenIn(namespaces sets.Set[string]) sets.Set[string] {
	by := byName{c.Catalog, sets.New[string](), sets.New[*asset.Asset]()}
	for namespace := range namespaces {
		for _, a := range c.Catalog.AssetsIn(namespace) {
			by.add(a.Kind, a.Name)
		}
	}
	return by.credentials
}

// GivenBy returns the names of the Credentials that any assets of a kind and a name
// give, wherever those are.
func (c *Counter) GivenBy(kind asset.Kind, name string) sets.Set[string] {
	by := byName{c.Catalog, sets.New[string](), sets.New[*asset.Asset]()}
	by.add(kind, name)
	return by.credentials
}

// byName collects the names of Credentials without asking what a name means where.
type byName struct {
	catalog     *catalog.Catalog
	credentials sets.Set[string]
	seen        sets.Set[*asset.Asset]
}

func (b byName) add(kind asset.Kind, name string) {
	if kind == asset.Credential {
		b.credentials.Insert(name)
		return
	}
	for _, a := range b.catalog.AssetsNamed(kind, name) {
		if b.seen.Has(a) {
			continue
		}
		b.seen.Insert(a)
		for _, reference := range a.References() {
			b.add(reference.Kind, reference.Name)
		}
	}
}

func credentialsAmong(objects sets.Set[catalog.Object]) (keys []types.NamespacedName) {
	for id := range objects {
		if id.Kind == asset.Credential {
			keys = append(keys, id.NamespacedName)
		}
	}
	return keys
}
