// SPDX-License-Identifier: Apache-2.0

package usage

import "github.com/credence-dev/credence/usage/object"

// group are the objects of one shape. It is what refers to names: a thousand
// replicas are one entry there.
type group struct {
	object.Shape
	links   []link
	members []*held
}

// link is a reference of a group, with its place at the name.
type link struct {
	to *mention
	at int
	// how is 0 where the name is only that of the owner.
	how     object.How
	readers uint64
}

// mention is a name that something refers to, or that owns something.
type mention struct {
	object.ID
	by []*group
}

// linkTo returns a group's link to a name, nil if there is none.
func (g *group) linkTo(m *mention) *link {
	if m == nil {
		return nil
	}
	for i := range g.links {
		if g.links[i].to == m {
			return &g.links[i]
		}
	}
	return nil
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
	if g.Owner != (object.Owner{}) {
		x.link(g, object.ID{Kind: g.Owner.Kind, Namespace: g.Namespace, Name: g.Owner.Name}, 0, 0)
	}
	x.groups[h.Shape] = g
	return g
}

func (x *Index) link(g *group, to object.ID, how object.How, readers uint64) {
	m := x.names[to]
	if m == nil {
		m = &mention{ID: to}
		x.names[to] = m
	}
	if known := g.linkTo(m); known != nil { // somebody's controller may be what it refers to
		known.how |= how
		return
	}
	g.links = append(g.links, link{m, len(m.by), how, readers})
	m.by = append(m.by, g)
}

func (x *Index) dissolve(g *group, h *held) {
	for _, l := range g.links {
		m, last := l.to, len(l.to.by)-1
		moved := m.by[last]
		m.by[l.at] = moved
		moved.linkTo(m).at = l.at
		m.by[last] = nil
		m.by = m.by[:last]
		if last == 0 {
			delete(x.names, m.ID)
		}
	}
	delete(x.groups, h.Shape)
}
