// SPDX-License-Identifier: Apache-2.0

// Package catalog answers which credentials a namespace sees, and which one a
// name means there: the narrower scope wins.
//
// It is pure, like package credential: whoever reads a cluster or a folder of
// manifests puts what it finds in, and the injector and the controller ask.
package catalog

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
)

// Catalog knows every namespace and credential, and answers what a namespace
// sees. It is safe for concurrent use, and answers without allocating for what
// is asked on the admission path.
type Catalog struct {
	layout credential.Layout

	mu     sync.RWMutex
	places map[string]credential.Place
	homes  map[string][]string // department id → namespaces, sorted
	shelf  map[string]*shelf   // by namespace
	change chan struct{}       // closed at the next change
	// referrers are the assets by what they refer to.
	referrers referrers

	reach reaches
}

// shelf holds the credentials and assets of one namespace.
type shelf struct {
	byName map[string]*Entry
	pull   []*Entry // those with registries, sorted by name
	assets map[assetKey]*asset.Asset
}

// New makes an empty catalog.
func New(layout credential.Layout) *Catalog {
	return &Catalog{
		layout: layout,
		places: map[string]credential.Place{},
		homes:  map[string][]string{},
		shelf:  map[string]*shelf{},
		change: make(chan struct{}),

		referrers: referrers{},
	}
}

// Layout returns the layout that the catalog reads namespaces by.
func (c *Catalog) Layout() credential.Layout { return c.layout }

// SetNamespace adds a namespace, or takes note of its labels.
func (c *Catalog) SetNamespace(name string, labels map[string]string) {
	place := c.layout.Place(name, labels)
	c.mu.Lock()
	defer c.mu.Unlock()
	old, known := c.places[name]
	if known && old == place {
		return
	}
	c.dropHome(old)
	c.places[name] = place
	c.reach.forget()
	if place.Home != "" {
		homes := append(slices.Clone(c.homes[place.Home]), name)
		slices.Sort(homes)
		c.homes[place.Home] = homes
	}
	c.changed()
}

// RemoveNamespace forgets a namespace.
func (c *Catalog) RemoveNamespace(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropHome(c.places[name])
	delete(c.places, name)
	c.reach.forget()
	c.changed()
}

func (c *Catalog) dropHome(place credential.Place) {
	if place.Home == "" {
		return
	}
	homes := slices.DeleteFunc(slices.Clone(c.homes[place.Home]), func(n string) bool { return n == place.Namespace })
	if len(homes) == 0 {
		delete(c.homes, place.Home)
	} else {
		c.homes[place.Home] = homes
	}
}

// Set adds a credential, or replaces what is known of it.
func (c *Catalog) Set(entry *Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.shelfOf(entry.Namespace)
	s.remove(entry.Name)
	s.byName[entry.Name] = entry
	if entry.HasRegistries() {
		at, _ := slices.BinarySearchFunc(s.pull, entry.Name, byEntryName)
		s.pull = slices.Insert(s.pull, at, entry)
	}
	c.changed()
}

// Remove forgets a credential.
func (c *Catalog) Remove(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.shelf[key.Namespace]; s != nil {
		s.remove(key.Name)
		c.tidy(key.Namespace)
		c.changed()
	}
}

// shelfOf returns the shelf of a namespace, a new one if it has none.
func (c *Catalog) shelfOf(namespace string) *shelf {
	s := c.shelf[namespace]
	if s == nil {
		s = &shelf{byName: map[string]*Entry{}, assets: map[assetKey]*asset.Asset{}}
		c.shelf[namespace] = s
	}
	return s
}

// tidy takes away the shelf of a namespace if it is empty.
func (c *Catalog) tidy(namespace string) {
	if s := c.shelf[namespace]; len(s.byName) == 0 && len(s.assets) == 0 {
		delete(c.shelf, namespace)
	}
}

// remove keeps pull a new slice, because PullCandidates hands out entries of the
// old one without a copy.
func (s *shelf) remove(name string) {
	delete(s.byName, name)
	if at, found := slices.BinarySearchFunc(s.pull, name, byEntryName); found {
		s.pull = slices.Delete(slices.Clone(s.pull), at, at+1)
	}
}

func byEntryName(e *Entry, name string) int {
	switch {
	case e.Name < name:
		return -1
	case e.Name > name:
		return 1
	}
	return 0
}

// Changed returns a channel that is closed at the next change of the catalog.
func (c *Catalog) Changed() <-chan struct{} {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.change
}

func (c *Catalog) changed() {
	close(c.change)
	c.change = make(chan struct{})
}

// Place returns what a namespace is, and whether the catalog knows it. The system
// namespace is what it is by name, even before its namespace object was seen.
func (c *Catalog) Place(namespace string) (credential.Place, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	place, ok := c.places[namespace]
	if !ok {
		place = c.layout.Place(namespace, nil)
	}
	return place, ok
}

// Homes returns the namespaces, besides the project's own, whose credentials may
// be visible in a project, from the narrowest: the department's homes and the
// system namespace.
func (c *Catalog) Homes(project credential.Place) []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return append(slices.Clone(c.homes[project.Department]), c.layout.SystemNamespace)
}

// Lookup returns the credential that a name means in a project: the narrowest of
// those visible there.
func (c *Catalog) Lookup(project credential.Place, name string) (*Entry, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.lookup(project, name)
}

func (c *Catalog) lookup(project credential.Place, name string) (*Entry, bool) {
	if entry := c.find(project.Namespace, project, name); entry != nil {
		return entry, true
	}
	for _, home := range c.homes[project.Department] {
		if entry := c.find(home, project, name); entry != nil {
			return entry, true
		}
	}
	entry := c.find(c.layout.SystemNamespace, project, name)
	return entry, entry != nil
}

func (c *Catalog) find(namespace string, project credential.Place, name string) *Entry {
	s := c.shelf[namespace]
	if s == nil {
		return nil
	}
	entry := s.byName[name]
	if entry == nil || !credential.Covers(entry.Scope, c.homeFor(project, namespace), project) {
		return nil
	}
	return entry
}

// home is the place of a namespace that may hold credentials.
func (c *Catalog) home(namespace string) credential.Place {
	if place, ok := c.places[namespace]; ok {
		return place
	}
	return c.layout.Place(namespace, nil)
}

// homeFor is the place of a namespace that a project looks into. The project's
// own is what the caller says, who may know it before the catalog does.
func (c *Catalog) homeFor(project credential.Place, namespace string) credential.Place {
	if namespace == project.Namespace {
		return project
	}
	return c.home(namespace)
}

// Visible returns the names that mean a credential in a project, sorted.
func (c *Catalog) Visible(project credential.Place) []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var names []string
	c.eachShelf(project, func(s *shelf, home credential.Place) {
		for name, entry := range s.byName {
			if credential.Covers(entry.Scope, home, project) {
				names = append(names, name)
			}
		}
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// PullCandidates calls yield for every credential with registries that is
// visible in a project and not shadowed there, from the narrowest scope, each
// scope by name. The catalog is locked meanwhile: yield must not ask it anything.
func (c *Catalog) PullCandidates(project credential.Place, yield func(*Entry)) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	c.eachShelf(project, func(s *shelf, _ credential.Place) {
		for _, entry := range s.pull {
			if winner, _ := c.lookup(project, entry.Name); winner == entry {
				yield(entry)
			}
		}
	})
}

func (c *Catalog) eachShelf(project credential.Place, do func(*shelf, credential.Place)) {
	visit := func(namespace string) {
		if s := c.shelf[namespace]; s != nil {
			do(s, c.homeFor(project, namespace))
		}
	}
	visit(project.Namespace)
	for _, home := range c.homes[project.Department] {
		visit(home)
	}
	visit(c.layout.SystemNamespace)
}
