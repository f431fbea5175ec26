// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"cmp"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
)

// Object names a Credential or an asset.
type Object struct {
	Kind asset.Kind
	types.NamespacedName
}

// IDOf returns what an asset is called.
func IDOf(a *asset.Asset) Object { return Object{a.Kind, a.NamespacedName} }

// String is "<Kind> <namespace>/<name>".
func (o Object) String() string { return string(o.Kind) + " " + o.NamespacedName.String() }

// referrers are the assets that refer to a name, by its kind. What the name means to
// them depends on where they are.
type referrers map[assetKey]map[*asset.Asset]struct{}

func (r referrers) add(a *asset.Asset) {
	for _, reference := range a.References() {
		key := assetKey{reference.Kind, reference.Name}
		if r[key] == nil {
			r[key] = map[*asset.Asset]struct{}{}
		}
		r[key][a] = struct{}{}
	}
}

func (r referrers) remove(a *asset.Asset) {
	for _, reference := range a.References() {
		key := assetKey{reference.Kind, reference.Name}
		delete(r[key], a)
		if len(r[key]) == 0 {
			delete(r, key)
		}
	}
}

// Credential returns a credential by where it is.
func (c *Catalog) Credential(key types.NamespacedName) (*Entry, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s := c.shelf[key.Namespace]
	if s == nil {
		return nil, false
	}
	entry := s.byName[key.Name]
	return entry, entry != nil
}

// Asset returns an asset by where it is.
func (c *Catalog) Asset(id Object) (*asset.Asset, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s := c.shelf[id.Namespace]
	if s == nil {
		return nil, false
	}
	a := s.assets[assetKey{id.Kind, id.Name}]
	return a, a != nil
}

// Naming returns the assets that refer to a name of a kind, whatever it means to
// them, sorted.
func (c *Catalog) Naming(kind asset.Kind, name string) []*asset.Asset {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return sortAssets(slices.Collect(maps.Keys(c.referrers[assetKey{kind, name}])))
}

// ReferringTo returns the assets that refer to this very Credential or asset,
// sorted.
func (c *Catalog) ReferringTo(id Object) []*asset.Asset {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var found []*asset.Asset
	for a := range c.referrers[assetKey{id.Kind, id.Name}] {
		if meant, ok := c.meant(a, id.Kind, id.Name); ok && meant == id {
			found = append(found, a)
		}
	}
	return sortAssets(found)
}

// Meant returns what a name of a kind means inside an asset.
func (c *Catalog) Meant(a *asset.Asset, kind asset.Kind, name string) (Object, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.meant(a, kind, name)
}

func (c *Catalog) meant(a *asset.Asset, kind asset.Kind, name string) (Object, bool) {
	extent := credential.Extent{Scope: a.Scope, Home: c.home(a.Namespace)}
	if !extent.Fits() {
		return Object{}, false
	}
	if kind == asset.Credential {
		if entry, ok := c.lookup(extent.Inside(), name); ok {
			return Object{kind, entry.NamespacedName}, true
		}
		return Object{}, false
	}
	if other, ok := c.lookupAsset(kind, extent.Inside(), name); ok {
		return IDOf(other), true
	}
	return Object{}, false
}

// AssetsIn returns the assets of a namespace, in no order.
func (c *Catalog) AssetsIn(namespace string) []*asset.Asset {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if s := c.shelf[namespace]; s != nil {
		return slices.Collect(maps.Values(s.assets))
	}
	return nil
}

// AssetsNamed returns all assets of a kind that have a name, wherever they are,
// sorted.
func (c *Catalog) AssetsNamed(kind asset.Kind, name string) []*asset.Asset {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var found []*asset.Asset
	for _, s := range c.shelf {
		if a := s.assets[assetKey{kind, name}]; a != nil {
			found = append(found, a)
		}
	}
	return sortAssets(found)
}

func sortAssets(all []*asset.Asset) []*asset.Asset {
	slices.SortFunc(all, func(a, b *asset.Asset) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return all
}
