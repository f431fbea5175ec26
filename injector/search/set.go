// SPDX-License-Identifier: Apache-2.0

package search

// Set is a list that grows, and of which no two items have one name.
type Set[T any] struct {
	// Items are in the order in which they were added.
	Items []T
	name  func(*T) string
	at    map[string]int // positions; nil while there are few
}

// NewSet makes an empty set.
func NewSet[T any](name func(*T) string) Set[T] { return Set[T]{name: name} }

// Find returns the position of the item with a name, -1 if there is none.
func (s *Set[T]) Find(name string) int {
	if s.at != nil {
		if at, ok := s.at[name]; ok {
			return at
		}
		return -1
	}
	for i := range s.Items {
		if s.name(&s.Items[i]) == name {
			return i
		}
	}
	return -1
}

// Add adds an item whose name no other has.
func (s *Set[T]) Add(item T) {
	if s.Items == nil {
		s.Items = make([]T, 0, 4) // instead of growing by one, two and four
	}
	s.Items = append(s.Items, item)
	switch last := len(s.Items) - 1; {
	case s.at != nil:
		s.at[s.name(&s.Items[last])] = last
	case last == few:
		s.at = make(map[string]int, 2*len(s.Items))
		for i := range s.Items {
			s.at[s.name(&s.Items[i])] = i
		}
	}
}
