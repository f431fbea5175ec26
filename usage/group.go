// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"slices"

	"github.com/credence-dev/credence/usage/object"
)

// group are the objects of one shape. It is what refers to names: a thousand
// replicas are one entry there.
type group struct {
	object.Shape
	// links are the references, in their order, and behind them the owner's link if
	// that is none of them.
	links      []link
	references int
	members    []*held
}

// link is a reference of a group to a name. It stays where it is in memory, for the
// name knows it.
type link struct {
	from    *group
	to      *mention
	readers uint64
	// at is the place among the links to that name.
	at int32
	// how is 0 where the name is only that of the owner.
	how object.How
}

// mention is a name that something refers to, or that owns something.
type mention struct {
	object.ID
	by []*link
}

// few is how many links are looked through sooner than searched.
const few = 16

// linkTo returns a group's link to a name, nil if there is none. Who may write an
// object decides how many links it has, 80,000 for one, so only few are gone
// through one by one.
func (g *group) linkTo(m *mention) *link {
	if m == nil {
		return nil
	}
	among := g.links
	if len(among) > few {
		if last := &among[len(among)-1]; last.to == m {
			return last // the owner's, which is out of order
		}
		at, found := slices.BinarySearchFunc(among[:g.references], m.ID, func(l link, id object.ID) int { return object.Compare(l.to.ID, id) })
		if !found {
			return nil
		}
		among = among[at : at+1]
	}
	for i := range among {
		if among[i].to == m {
			return &among[i]
		}
	}
	return nil
}

// accounts are the links to service accounts, which come last among references.
func (g *group) accounts() []link {
	first := g.references
	for first > 0 && g.links[first-1].to.Kind == object.ServiceAccount {
		first--
	}
	return g.links[first:g.references]
}

// join puts an object into the group of its shape.
func (x *Index) join(h *held, changed changes) {
	g := x.groups[h.Shape]
	if g == nil {
		g = x.newGroup(h)
	}
	h.group, h.at = g, int32(len(g.members))
	g.members = append(g.members, h)
	x.noteMember(g, changed)
}

// leave takes an object out of its group.
func (x *Index) leave(h *held, changed changes) {
	g, last := h.group, len(h.group.members)-1
	x.noteMember(g, changed)
	g.members[h.at] = g.members[last]
	g.members[h.at].at = h.at
	g.members[last] = nil
	g.members = g.members[:last]
	h.group = nil
	if last == 0 {
		x.dissolve(g, h)
	}
}

func (x *Index) newGroup(h *held) *group {
	g := &group{Shape: h.Shape.Value()}
	refers := g.Refers.List()
	g.links = make([]link, 0, len(refers)+1)
	for _, r := range refers {
		x.link(g, object.ID{Kind: r.Kind, Namespace: g.Namespace, Name: r.Name}, r.How, r.Readers)
	}
	g.references = len(refers)
	if g.Owner != (object.Owner{}) {
		owner := object.ID{Kind: g.Owner.Kind, Namespace: g.Namespace, Name: g.Owner.Name}
		if g.linkTo(x.names[owner]) == nil { // somebody's controller may be what it refers to
			x.link(g, owner, 0, 0)
		}
	}
	x.groups[h.Shape] = g
	return g
}

// link adds a link to a name that the group has none to.
func (x *Index) link(g *group, to object.ID, how object.How, readers uint64) {
	m := x.names[to]
	if m == nil {
		m = &mention{ID: to}
		x.names[to] = m
		x.noteAsset(to)
	}
	g.links = append(g.links, link{g, m, readers, int32(len(m.by)), how})
	m.by = append(m.by, &g.links[len(g.links)-1])
}

func (x *Index) dissolve(g *group, h *held) {
	for i := range g.links {
		m, at := g.links[i].to, g.links[i].at
		last := len(m.by) - 1
		m.by[at] = m.by[last]
		m.by[at].at = at
		m.by[last] = nil
		m.by = m.by[:last]
		if last == 0 {
			delete(x.names, m.ID)
			x.dropAsset(m.ID)
		}
	}
	delete(x.groups, h.Shape)
}
