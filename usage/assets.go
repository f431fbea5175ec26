// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"maps"
	"slices"

	"github.com/credence-dev/credence/usage/object"
)

// Namespaces returns the namespaces in which anything refers to an asset by a kind,
// such as "Environment", and a name; in no order. Whether the name means one there
// is not known here.
func (x *Index) Namespaces(kind, name string) []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Collect(maps.Keys(x.assets[object.ID{Kind: kindOf(kind), Name: name}]))
}

// noteAsset takes note of a name that is referred to for the first time.
func (x *Index) noteAsset(to object.ID) {
	if !object.IsAsset(to.Kind) {
		return
	}
	key := object.ID{Kind: to.Kind, Name: to.Name}
	if x.assets[key] == nil {
		x.assets[key] = map[string]struct{}{}
	}
	x.assets[key][to.Namespace] = struct{}{}
}

// dropAsset takes note that nothing refers to a name any more.
func (x *Index) dropAsset(to object.ID) {
	if !object.IsAsset(to.Kind) {
		return
	}
	key := object.ID{Kind: to.Kind, Name: to.Name}
	delete(x.assets[key], to.Namespace)
	if len(x.assets[key]) == 0 {
		delete(x.assets, key)
	}
}
