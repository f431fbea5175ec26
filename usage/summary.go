// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"math"
	"slices"

	"github.com/credence-dev/credence/usage/object"
)

// Summary is how many use something, and the first of them.
type Summary struct {
	Workloads, Templates, Automatic int
	// FirstWorkloads and FirstTemplates are sorted like those of Users.
	FirstWorkloads, FirstTemplates []User
}

// MaxCounted is how many workloads are counted where that must not take long. That
// many stand for more, too.
const MaxCounted = 1000

// Summarize counts what Users would return, and names no more than so many of each
// kind. Replicas are counted together, so it takes no longer for more of them.
func (x *Index) Summarize(names int, queries ...Query) Summary {
	return x.summarize(names, math.MaxInt, queries)
}

// SummarizeBriefly is Summarize up to MaxCounted workloads, where it ends. It takes
// no longer for more of them, and only somewhat for more that got something
// automatically. Those that it names are among the first then, and not all of these.
func (x *Index) SummarizeBriefly(names int, queries ...Query) Summary {
	return x.summarize(names, MaxCounted, queries)
}

func (x *Index) summarize(names, most int, queries []Query) Summary {
	x.mu.RLock()
	defer x.mu.RUnlock()
	c := census{index: x, most: most, due: most, groups: map[*group]role{}, pods: map[*group]*owned{}}
	for f := range x.surveys(queries) {
		if !c.add(f) {
			break
		}
	}
	c.findOwners()
	summary := c.count()
	summary.FirstWorkloads, summary.FirstTemplates = c.first(names)
	summary.Workloads, summary.Templates, summary.Automatic = min(summary.Workloads, most), min(summary.Templates, most), min(summary.Automatic, most)
	return summary
}

func (p *population) find(namespace, name string) *held {
	if p == nil {
		return nil
	}
	return p.objects[key{namespace, name}]
}

// census counts users, each once, without a list of them.
type census struct {
	index *Index
	most  int
	// groups are those whose members count by themselves, and pods those of others.
	groups map[*group]role
	pods   map[*group]*owned
	// owners are those of pods, and others the ones of these that are not followed.
	owners map[*held]role
	others map[object.ID]role
	// due is after how many more finds it is counted whether there are enough, full that
	// there are of those who got something automatically.
	due  int
	full bool
}

// owned is by whom a group of pods is, and what that is.
type owned struct {
	owner object.Owner
	top   *held
	as    role
}

// add says whether more is wanted.
func (c *census) add(f found) bool {
	if !f.owned() {
		as := f.role(nil)
		if before, known := c.groups[f.group]; known && before <= as {
			return true
		}
		c.groups[f.group] = as
		return c.wantsMore(len(f.members))
	}
	of := c.pods[f.group]
	if of == nil {
		if c.full && f.isAutomatic() {
			return true
		}
		of = &owned{as: asAutomatic + 1}
		of.owner, of.top = f.by.index.top(f.group)
		c.pods[f.group] = of
	}
	if of.as == asWorkload {
		return true
	}
	before := of.as
	if of.as = min(before, f.role(of.top)); of.as == before {
		return true
	}
	return c.wantsMore(1)
}

// wantsMore counts anew once what was found may be enough. Some of it is found twice.
func (c *census) wantsMore(found int) bool {
	if c.due -= found; c.due > 0 {
		return true
	}
	c.findOwners()
	now := c.count()
	c.full = now.Automatic >= c.most
	c.due = max(c.most-now.Workloads, c.most/4)
	return now.Workloads < c.most
}

// findOwners finds the owners of the pods.
func (c *census) findOwners() {
	c.owners, c.others = map[*held]role{}, map[object.ID]role{}
	for g, of := range c.pods {
		h := of.top
		if h == nil { // it may have been made anew, and counts by its name
			h = c.index.kinds[of.owner.Kind].find(g.Namespace, of.owner.Name)
		}
		if h != nil {
			least(c.owners, h, of.as)
		} else {
			least(c.others, object.ID{Kind: of.owner.Kind, Namespace: g.Namespace, Name: of.owner.Name}, of.as)
		}
	}
}

// least keeps the role that counts: who uses something in any other way got it not
// only automatically.
func least[who comparable](all map[who]role, one who, as role) {
	if before, known := all[one]; !known || as < before {
		all[one] = as
	}
}

func (c *census) count() Summary {
	var of [asAutomatic + 1]int
	for g, as := range c.groups {
		of[as] += len(g.members)
	}
	for _, as := range c.others {
		of[as]++
	}
	for h, as := range c.owners {
		switch by, counted := c.groups[h.group]; {
		case !counted, by == asTemplate: // who is a template is a workload too
			of[as]++
		case as < by:
			of[as]++
			of[by]--
		}
	}
	return Summary{Workloads: of[asWorkload], Templates: of[asTemplate], Automatic: of[asAutomatic]}
}

// first returns the first workloads and templates in their order.
func (c *census) first(names int) (workloads, templates []User) {
	first := [2]leading{asWorkload: {limit: names}, asTemplate: {limit: names}}
	for g, as := range c.groups {
		if as != asAutomatic {
			first[as].members(g)
		}
	}
	for h, as := range c.owners {
		if as == asWorkload {
			first[as].add(userOf(h.group.Kind.Value().Kind, h.group.Namespace, h.Name))
		}
	}
	for id, as := range c.others {
		if as == asWorkload {
			first[as].add(userOf(id.Kind.Value().Kind, id.Namespace, id.Name))
		}
	}
	return first[asWorkload].users, first[asTemplate].users
}

// leading are the first of users that come in any order.
type leading struct {
	users []User
	limit int
}

func (l *leading) members(g *group) {
	kind := g.Kind.Value().Kind
	// Without a name it is before all of them.
	if !l.wants(userOf(kind, g.Namespace, "")) {
		return
	}
	for _, h := range g.members {
		l.add(userOf(kind, g.Namespace, h.Name))
	}
}

// wants says whether a user is before the last one.
func (l *leading) wants(user User) bool {
	return len(l.users) < l.limit || l.limit > 0 && user.Compare(l.users[l.limit-1]) < 0
}

func (l *leading) add(user User) {
	if !l.wants(user) {
		return
	}
	at, known := slices.BinarySearchFunc(l.users, user, User.Compare)
	if known {
		return
	}
	if len(l.users) == l.limit {
		l.users = l.users[:l.limit-1]
	}
	l.users = slices.Insert(l.users, at, user)
}
