// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
)

// Claim is what an object is called, and where: what workloads write and what
// people see, each of which should mean one object in a project.
type Claim struct {
	types.NamespacedName
	// DisplayName is what people see, which is the name if nothing else was given.
	DisplayName string
	credential.Extent
}

// Rival is another object that some project sees together with the claim's, and
// that has a name in common with it.
type Rival struct {
	Claim
	// Relation says how the rival's extent lies to that of the claim. It is never
	// Apart.
	Relation credential.Relation
	// Deleting says that the rival is going, and has its names until it is gone.
	Deleting bool
}

// Claim is what the credential is called, if its namespace is this place.
func (e *Entry) Claim(home credential.Place) Claim {
	return Claim{
		NamespacedName: e.NamespacedName, DisplayName: e.DisplayName,
		Extent: credential.Extent{Scope: e.Scope, Home: home},
	}
}

// AssetClaim is what an asset is called, if its namespace is this place.
func AssetClaim(a *asset.Asset, home credential.Place) Claim {
	return Claim{
		NamespacedName: a.NamespacedName, DisplayName: a.DisplayName,
		Extent: credential.Extent{Scope: a.Scope, Home: home},
	}
}

// Rival says whether another object of its kind is one to the claim.
func (c Claim) Rival(other Claim, deleting bool) (Rival, bool) {
	if other.NamespacedName == c.NamespacedName || !c.sharesAny(other) {
		return Rival{}, false
	}
	relation := other.RelationTo(c.Extent)
	return Rival{Claim: other, Relation: relation, Deleting: deleting}, relation != credential.Apart
}

// sharesAny says whether a name of either kind is a name of either kind of the
// other: that one is shown as what another is called misleads, too.
func (c Claim) sharesAny(other Claim) bool {
	return c.Name == other.Name || c.DisplayName == other.DisplayName ||
		c.Name == other.DisplayName || c.DisplayName == other.Name
}

// Rivals returns the rivals of a claim among the objects of its kind, the widest
// first. The place of the claim's own namespace is what the claim says, which may
// know it before the catalog does.
func (c *Catalog) Rivals(kind asset.Kind, claim Claim) []Rival {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var rivals []Rival
	for namespace, s := range c.shelf {
		s.eachClaim(kind, c.homeFor(claim.Home, namespace), func(other Claim, deleting bool) {
			if rival, ok := claim.Rival(other, deleting); ok {
				rivals = append(rivals, rival)
			}
		})
	}
	slices.SortFunc(rivals, func(a, b Rival) int {
		return cmp.Or(cmp.Compare(b.Relation, a.Relation), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return rivals
}

// eachClaim calls do for every object of a kind in a namespace, which is this place.
func (s *shelf) eachClaim(kind asset.Kind, home credential.Place, do func(claim Claim, deleting bool)) {
	if kind == asset.Credential {
		for _, entry := range s.byName {
			do(entry.Claim(home), entry.DeletedAt != nil)
		}
		return
	}
	for key, a := range s.assets {
		if key.kind == kind {
			do(AssetClaim(a, home), a.DeletedAt != nil)
		}
	}
}

// Narrower returns an object of a kind and name that covers a part of an extent
// only: where nothing of that name covers all of it, that is what was probably
// meant. Of several it is the first by namespace.
func (c *Catalog) Narrower(kind asset.Kind, extent credential.Extent, name string) (Claim, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var found *Claim
	for namespace, s := range c.shelf {
		claim, ok := s.claim(kind, name, c.home(namespace))
		if ok && claim.RelationTo(extent) == credential.Narrower && (found == nil || namespace < found.Namespace) {
			found = &claim
		}
	}
	if found == nil {
		return Claim{}, false
	}
	return *found, true
}

func (s *shelf) claim(kind asset.Kind, name string, home credential.Place) (Claim, bool) {
	if kind == asset.Credential {
		if entry := s.byName[name]; entry != nil {
			return entry.Claim(home), true
		}
	} else if a := s.assets[assetKey{kind, name}]; a != nil {
		return AssetClaim(a, home), true
	}
	return Claim{}, false
}

// HomesOver returns the namespaces, besides its own, where an object may live that
// covers all that a claim does.
func (c *Catalog) HomesOver(claim Claim) []string {
	if !claim.Fits() || claim.Scope.Level == v1alpha1.ScopeCluster {
		return nil
	}
	project := claim.Home
	if claim.Scope.Level == v1alpha1.ScopeDepartment {
		project = credential.Place{Department: claim.Scope.Department}
	}
	return slices.DeleteFunc(c.Homes(project), func(namespace string) bool { return namespace == claim.Namespace })
}
