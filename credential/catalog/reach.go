// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"slices"
	"strings"
	"sync"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
)

// Reach returns the projects that a scope covers from the namespace an object
// lives in, sorted by namespace. The answer is shared and must not be changed: it
// is kept until a namespace changes, because all of a cluster's credentials are
// asked about when one does, and most of them have one scope.
func (c *Catalog) Reach(scope v1alpha1.Scope, namespace string) []credential.Place {
	c.mu.RLock()
	defer c.mu.RUnlock()
	home := c.home(namespace)
	if scope.Level == v1alpha1.ScopeProject {
		if credential.Covers(scope, home, home) {
			return []credential.Place{home}
		}
		return nil
	}
	return c.reach.get(origin{scope, namespace}, func() []credential.Place {
		var reach []credential.Place
		for _, place := range c.places {
			if credential.Covers(scope, home, place) {
				reach = append(reach, place)
			}
		}
		slices.SortFunc(reach, func(a, b credential.Place) int { return strings.Compare(a.Namespace, b.Namespace) })
		return reach
	})
}

// origin is what Reach is asked about.
type origin struct {
	scope     v1alpha1.Scope
	namespace string
}

// reaches are the answers of Reach since places last changed.
type reaches struct {
	mu    sync.Mutex
	known map[origin][]credential.Place
}

func (r *reaches) get(of origin, find func() []credential.Place) []credential.Place {
	r.mu.Lock()
	defer r.mu.Unlock()
	places, known := r.known[of]
	if !known {
		places = find()
		if r.known == nil {
			r.known = map[origin][]credential.Place{}
		}
		r.known[of] = places
	}
	return places
}

func (r *reaches) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = nil
}
