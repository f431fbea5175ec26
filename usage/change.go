// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/credence-dev/credence/usage/object"
)

// Notify has a function called after the index has taken in a change, with the
// names that were and are referred to, so with too many rather than too few. It
// must return soon, and may ask the index. One call tells of one event, so who has
// much to do at each waits for more.
func (x *Index) Notify(listener func(Change)) {
	x.listenersMu.Lock()
	defer x.listenersMu.Unlock()
	x.listeners = append(x.listeners, listener)
}

// changes are the credentials, assets and Secrets of which the users or readers may
// have changed.
type changes map[object.ID]struct{}

// change makes a change and then tells of it.
func (x *Index) change(take func(changes)) {
	changed := changes{}
	x.mu.Lock()
	take(changed)
	x.mu.Unlock()
	if len(changed) == 0 {
		return
	}
	x.listenersMu.Lock()
	listeners := slices.Clone(x.listeners)
	x.listenersMu.Unlock()
	for _, change := range changed.list() {
		for _, listener := range listeners {
			listener(change)
		}
	}
}

// list returns a change for each namespace.
func (c changes) list() []Change {
	byNamespace := map[string]*Change{}
	for one := range c {
		change := byNamespace[one.Namespace]
		if change == nil {
			change = &Change{Namespace: one.Namespace}
			byNamespace[one.Namespace] = change
		}
		switch one.Kind {
		case object.Secret:
			change.Secrets = append(change.Secrets, one.Name)
		case object.Credential:
			change.Credentials = append(change.Credentials, one.Name)
		default:
			change.Assets = append(change.Assets, Asset{one.Kind.Value().Kind, one.Name})
		}
	}
	list := make([]Change, 0, len(byNamespace))
	for _, namespace := range slices.Sorted(maps.Keys(byNamespace)) {
		change := byNamespace[namespace]
		slices.SortFunc(change.Credentials, strings.Compare)
		slices.SortFunc(change.Secrets, strings.Compare)
		slices.SortFunc(change.Assets, func(a, b Asset) int {
			return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
		})
		list = append(list, *change)
	}
	return list
}

// extent is what of a group's references may have changed.
type extent bool

const (
	everything extent = false
	readOnly   extent = true
)

// noteMember notes that a member comes or goes. Where pods count as their owner,
// only the first and the last change who uses something.
func (x *Index) noteMember(g *group, changed changes) {
	x.note(g, changed, extent(g.Kind == object.Pod && g.Owner != object.Owner{} && len(g.members) > 1))
}

// note notes what a group refers to, also through others.
func (x *Index) note(g *group, changed changes, of extent) {
	for i := range g.links {
		l := &g.links[i]
		switch {
		case l.to.Kind == object.Secret && (of == everything || l.readers != 0), of == everything && isNamed(l.to.Kind):
			changed[l.to.ID] = struct{}{}
		case of == everything:
			if via := x.through(l); via != nil {
				x.note(via, changed, of)
			}
		}
	}
}

// isNamed says whether objects of a kind are what annotations name.
func isNamed(kind object.Kind) bool { return kind == object.Credential || object.IsAsset(kind) }

// through returns the group of the object that a link leads to, if what that
// refers to counts for those that refer to it.
func (x *Index) through(l *link) *group {
	if l.to.Kind != object.ServiceAccount || l.how == 0 {
		return nil
	}
	if account := x.kinds[object.ServiceAccount].objects[key{l.to.Namespace, l.to.Name}]; account != nil {
		return account.group
	}
	return nil
}

// rethink notes all that depends on which object a name stands for: what the pods
// below it refer to, since they may count as another workload's now.
func (x *Index) rethink(root object.ID, changed changes) {
	if x.names[root] == nil {
		return
	}
	seen := map[*group]bool{}
	for queue := []object.ID{root}; len(queue) > 0; queue = queue[1:] {
		m := x.names[queue[0]]
		if m == nil {
			continue
		}
		for _, l := range m.by {
			g := l.from
			if seen[g] || m.Kind != g.Owner.Kind || m.Name != g.Owner.Name {
				continue
			}
			seen[g] = true
			x.note(g, changed, everything)
			for _, h := range g.members {
				queue = append(queue, h.ID())
			}
		}
	}
}
