// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"path"
	"slices"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/catalog"
)

// The rules are those of the injector for the pod that has nothing of its own: two of
// ours that want one variable or one path differently, and paths in one another, are
// refused there as well.

func (i *inspection) wantVariable(field, name string, w want) {
	w.by, w.field = i, field
	other, taken := i.wants.variables[name]
	switch {
	case !taken:
		i.wants.variables[name] = &w
	case other.source != w.source:
		i.conflict(other, &w, fmt.Sprintf("variable %s is wanted from %s and from %s", name, other.beside(&w), w.beside(other)))
	}
}

func (i *inspection) wantPath(field, at string, w want) {
	w.by, w.field, w.path = i, field, path.Clean(at)
	for _, other := range i.wants.paths {
		switch {
		case other.path == w.path && other.source == w.source && sameMode(other.mode, w.mode):
			return
		case other.path == w.path:
			i.conflict(other, &w, fmt.Sprintf("path %s is wanted by %s and by %s", w.path, other.beside(&w), w.beside(other)))
			return
		case below(other.path, w.path) || below(w.path, other.path):
			i.conflict(other, &w, fmt.Sprintf("path %s of %s and path %s of %s lie in one another", other.path, other.beside(&w), w.path, w.beside(other)))
			return
		}
	}
	i.wants.paths = append(i.wants.paths, &w)
}

// sameMode says whether two modes may come to be the same. Which one is meant where
// none is given, depends on the container.
func sameMode(a, b *int32) bool { return a == nil || b == nil || *a == *b }

// settle compares the variables that are set by their names with those that
// credentials set by all their keys. One fault of each of these credentials will do.
func (i *inspection) settle() {
	for _, w := range i.wants.all {
		told := false
		for _, key := range w.entry.Keys {
			switch other, taken := i.wants.variables[key.Key]; {
			case !taken:
				i.wants.variables[key.Key] = w
			case other.entry != w.entry && !told:
				told = true
				i.conflict(other, w, fmt.Sprintf("variable %s is wanted from %s and from %s", key.Key, other.beside(w), w.beside(other)))
			}
		}
	}
}

// conflict adds the fault of two that want one thing. What is wrong inside an asset
// that this one refers to is mended there; what two of them want, and what one of
// them and this one do, may be mended in either.
func (i *inspection) conflict(a, b *want, problem string) {
	w := b // the later of two
	if b.by.outer != nil && a.by.outer == nil {
		w = a
	}
	fault := Fault{Reason: v1alpha1.ReasonConflict, Field: w.field, Problem: problem}
	if a.by != b.by {
		fault.Waits = true
		if w.by.outer != nil {
			fault.Field = w.by.field
		}
		for i.outer != nil {
			i = i.outer
		}
		i.add(fault)
		return
	}
	fault.Waits = a.all || b.all // a Secret may lose a key
	fault.Of = slices.DeleteFunc([]*catalog.Entry{a.entry, b.entry}, func(entry *catalog.Entry) bool { return entry == nil })
	if i.outer == nil && w.by.outer != nil { // found out at the end
		i.notReady(w.by.field, "%s is at fault: %s", w.by.name, fault.Error())
		return
	}
	i.add(fault)
}

var _ Catalog = (*catalog.Catalog)(nil)
