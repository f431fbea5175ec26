// SPDX-License-Identifier: Apache-2.0

package search

import (
	"cmp"
	"slices"
)

// Below says whether one clean path is strictly below another.
func Below(child, parent string) bool {
	return len(child) > len(parent) && child[len(parent)] == '/' && child[:len(parent)] == parent
}

func atOrBelow(path, parent string) bool { return path == parent || Below(path, parent) }

// compare orders clean paths so that what is below a path comes right behind it.
func compare(a, b string) int {
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == b[i]:
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		default:
			return cmp.Compare(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b))
}

// sortedRange returns what is at or below a path among positions sorted by path.
func sortedRange(sorted []int32, paths []string, path string) (from, to int) {
	from, _ = slices.BinarySearchFunc(sorted, path, func(position int32, path string) int {
		return compare(paths[position], path)
	})
	to, _ = slices.BinarySearchFunc(sorted[from:], false, func(position int32, _ bool) int {
		if atOrBelow(paths[position], path) {
			return -1
		}
		return 1
	})
	return from, from + to
}

// Tree finds clean paths by those that they are at or below.
type Tree struct {
	paths  []string
	sorted []int32 // positions, by path; nil until they are needed
}

// NewTree makes a tree of paths, which must not change.
func NewTree(paths []string) Tree { return Tree{paths: paths} }

// AtOrBelow appends the positions of all paths that are at or below one, in their
// order.
func (t *Tree) AtOrBelow(path string, found []int32) []int32 {
	if len(t.paths) <= few {
		for i := range t.paths {
			if atOrBelow(t.paths[i], path) {
				found = append(found, int32(i))
			}
		}
		return found
	}
	if t.sorted == nil {
		t.sorted = positions(len(t.paths))
		slices.SortFunc(t.sorted, func(a, b int32) int { return cmp.Or(compare(t.paths[a], t.paths[b]), cmp.Compare(a, b)) })
	}
	from, to := sortedRange(t.sorted, t.paths, path)
	found = append(found, t.sorted[from:to]...)
	slices.Sort(found)
	return found
}

// Paths is a list of clean paths of which none is at or below another.
type Paths struct {
	list   []string
	sorted []int32 // positions, by path; kept from a few on
}

// Conflict returns the position of the first that a path is at, below or above; -1 if
// it may be added.
func (p *Paths) Conflict(path string) int {
	if len(p.list) <= few {
		return slices.IndexFunc(p.list, func(other string) bool { return atOrBelow(other, path) || Below(path, other) })
	}
	from, to := sortedRange(p.sorted, p.list, path)
	switch {
	case from < to:
		return int(slices.Min(p.sorted[from:to]))
	case from > 0 && Below(path, p.list[p.sorted[from-1]]): // nothing else of the list is below that
		return int(p.sorted[from-1])
	}
	return -1
}

// Add adds a path that conflicts with none.
func (p *Paths) Add(path string) {
	p.list = append(p.list, path)
	switch position := int32(len(p.list) - 1); {
	case position < few:
	case position == few:
		p.sorted = positions(len(p.list))
		slices.SortFunc(p.sorted, func(a, b int32) int { return compare(p.list[a], p.list[b]) })
	default:
		at, _ := sortedRange(p.sorted, p.list, path)
		p.sorted = slices.Insert(p.sorted, at, position)
	}
}
