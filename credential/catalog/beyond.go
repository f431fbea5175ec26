// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
)

// Beyond says what a namespace is, and whether it is one that the scope of an object
// in another does not cover. None is beyond an object in a place that does not fit
// its scope: that covers nothing at all, and no namespace is at fault.
func (c *Catalog) Beyond(scope v1alpha1.Scope, home, namespace string) (place credential.Place, beyond bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	from, place := credential.Extent{Scope: scope, Home: c.home(home)}, c.home(namespace)
	return place, from.Fits() && !credential.Covers(scope, from.Home, place)
}
