// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
)

// assetKey is what an asset is called in its namespace.
type assetKey struct {
	kind asset.Kind
	name string
}

// SetAsset adds an asset, or replaces what is known of it.
func (c *Catalog) SetAsset(a *asset.Asset) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.shelfOf(a.Namespace)
	s.takeAsset(assetKey{a.Kind, a.Name}, c.referrers)
	s.assets[assetKey{a.Kind, a.Name}] = a
	c.referrers.add(a)
	c.changed()
}

// RemoveAsset forgets an asset.
func (c *Catalog) RemoveAsset(kind asset.Kind, key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.shelf[key.Namespace]; s != nil {
		s.takeAsset(assetKey{kind, key.Name}, c.referrers)
		c.tidy(key.Namespace)
		c.changed()
	}
}

// takeAsset takes an asset off the shelf, if it is there.
func (s *shelf) takeAsset(key assetKey, from referrers) {
	if a := s.assets[key]; a != nil {
		from.remove(a)
		delete(s.assets, key)
	}
}

// LookupAsset returns the asset that a name means in a project, or, of a place that
// stands for an extent, inside an object of that extent: see Extent.Inside.
func (c *Catalog) LookupAsset(kind asset.Kind, project credential.Place, name string) (*asset.Asset, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.lookupAsset(kind, project, name)
}

func (c *Catalog) lookupAsset(kind asset.Kind, project credential.Place, name string) (*asset.Asset, bool) {
	if a := c.findAsset(project.Namespace, kind, project, name); a != nil {
		return a, true
	}
	for _, home := range c.homes[project.Department] {
		if a := c.findAsset(home, kind, project, name); a != nil {
			return a, true
		}
	}
	a := c.findAsset(c.layout.SystemNamespace, kind, project, name)
	return a, a != nil
}

func (c *Catalog) findAsset(namespace string, kind asset.Kind, project credential.Place, name string) *asset.Asset {
	s := c.shelf[namespace]
	if s == nil {
		return nil
	}
	a := s.assets[assetKey{kind, name}]
	if a == nil || !credential.Covers(a.Scope, c.homeFor(project, namespace), project) {
		return nil
	}
	return a
}

// VisibleAssets returns the names that mean an asset of a kind in a project, sorted.
func (c *Catalog) VisibleAssets(kind asset.Kind, project credential.Place) []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var names []string
	c.eachShelf(project, func(s *shelf, home credential.Place) {
		for key, a := range s.assets {
			if key.kind == kind && credential.Covers(a.Scope, home, project) {
				names = append(names, key.name)
			}
		}
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// Assets returns all assets there are, in no order.
func (c *Catalog) Assets() []*asset.Asset {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var all []*asset.Asset
	for _, s := range c.shelf {
		for _, a := range s.assets {
			all = append(all, a)
		}
	}
	return all
}

// Inside returns the place from which names in an asset are looked up: the asset's
// extent, outwards, and never a workload's namespace. It is false for an asset that
// covers nothing, because it is in a place that does not fit its scope.
func (c *Catalog) Inside(a *asset.Asset) (credential.Place, bool) {
	home, _ := c.Place(a.Namespace)
	extent := credential.Extent{Scope: a.Scope, Home: home}
	return extent.Inside(), extent.Fits()
}
