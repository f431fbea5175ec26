// SPDX-License-Identifier: Apache-2.0

package search

import (
	"cmp"
	"slices"
	"strings"
)

// few is the length up to which a list is gone through.
const few = 32

// Index finds the items of a list by a name that several may have.
type Index[T any] struct {
	list   []T
	name   func(*T) string
	sorted []int32 // positions, by name; nil until they are needed
}

// NewIndex makes an index of a list, which must not change.
func NewIndex[T any](list []T, name func(*T) string) Index[T] {
	return Index[T]{list: list, name: name}
}

// Next returns the first position, from one on, of an item with a name; -1 if there
// is none.
func (x *Index[T]) Next(name string, from int) int {
	if len(x.list) <= few {
		for i := from; i < len(x.list); i++ {
			if x.name(&x.list[i]) == name {
				return i
			}
		}
		return -1
	}
	if x.sorted == nil {
		x.sorted = x.sort()
	}
	at, _ := slices.BinarySearchFunc(x.sorted, name, func(position int32, name string) int {
		return cmp.Or(strings.Compare(x.name(&x.list[position]), name), cmp.Compare(int(position), from))
	})
	if at < len(x.sorted) && x.name(&x.list[x.sorted[at]]) == name {
		return int(x.sorted[at])
	}
	return -1
}

// Has says whether an item has a name.
func (x *Index[T]) Has(name string) bool { return x.Next(name, 0) >= 0 }

func (x *Index[T]) sort() []int32 {
	sorted := positions(len(x.list))
	slices.SortFunc(sorted, func(a, b int32) int {
		return cmp.Or(strings.Compare(x.name(&x.list[a]), x.name(&x.list[b])), cmp.Compare(a, b))
	})
	return sorted
}

func positions(n int) []int32 {
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}
