// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"slices"
	"sync"
	"unique"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/credence-dev/credence/usage/object"
)

// Index holds who uses what. It is safe for concurrent use.
//
// It holds all namespaces, because one that becomes a project must be right at
// once; who asks names the projects. What cannot change an answer is not held:
// finished pods, and bare pods, PodTemplates and service accounts that refer to
// nothing. Of an owned object it holds which it is and who owns it.
type Index struct {
	mu    sync.RWMutex
	kinds map[object.Kind]*population
	// groups are the objects by what they have in common.
	groups map[unique.Handle[object.Shape]]*group
	names  map[object.ID]*mention
	// assets are the namespaces in which something refers to an asset, by its kind and
	// name: few of those where a name may mean one.
	assets map[object.ID]map[string]struct{}

	listenersMu sync.Mutex
	listeners   []func(Change)
}

// population are the objects of a kind.
type population struct {
	objects map[key]*held
	// pass numbers the lists; 0 before the first.
	pass uint32
}

type key struct{ namespace, name string }

// held is an object in its place in a group.
type held struct {
	object.Object
	group *group
	at    int32
	// pass is the list that it was last seen in, or after.
	pass uint32
}

// NewIndex returns an index that knows nothing yet.
func NewIndex() *Index {
	x := &Index{
		kinds:  map[object.Kind]*population{},
		groups: map[unique.Handle[object.Shape]]*group{},
		names:  map[object.ID]*mention{},
		assets: map[object.ID]map[string]struct{}{},
	}
	for _, one := range object.BuiltIn {
		x.population(unique.Make(one.GroupKind()))
	}
	return x
}

func (x *Index) population(kind object.Kind) *population {
	p := x.kinds[kind]
	if p == nil {
		p = &population{objects: map[key]*held{}}
		x.kinds[kind] = p
	}
	return p
}

// Set takes in an object that is new or has changed.
func (x *Index) Set(o object.Object) {
	x.change(func(changed changes) { x.set(o, changed) })
}

// Remove takes in that an object is gone.
func (x *Index) Remove(o object.Object) {
	x.change(func(changed changes) { x.remove(o.ID(), changed) })
}

// Replace takes in all objects of a kind that there are.
func (x *Index) Replace(of schema.GroupKind, objects []object.Object) {
	x.change(func(changed changes) {
		p := x.population(unique.Make(of))
		p.pass++
		for i := range objects {
			x.set(objects[i], changed)
		}
		for _, h := range p.objects {
			if h.pass != p.pass {
				x.remove(h.ID(), changed)
			}
		}
	})
}

// Synced says whether every built-in kind has been listed. An index that is not
// complete must decide nothing.
func (x *Index) Synced() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return !slices.ContainsFunc(object.BuiltIn, func(one object.Served) bool {
		return x.kinds[unique.Make(one.GroupKind())].pass == 0
	})
}

// count returns how many objects of a kind are held.
func (x *Index) count(of schema.GroupKind) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if p := x.kinds[unique.Make(of)]; p != nil {
		return len(p.objects)
	}
	return 0
}

func (x *Index) set(o object.Object, changed changes) {
	s := o.Shape.Value()
	p := x.population(s.Kind)
	before := p.objects[key{s.Namespace, o.Name}]
	switch {
	case !o.Matters():
		if before != nil {
			x.remove(o.ID(), changed)
		}
	case before == nil:
		h := &held{Object: o, pass: p.pass}
		p.objects[key{s.Namespace, h.Name}] = h
		x.join(h, changed)
		x.rethink(o.ID(), changed)
	default:
		before.pass = p.pass
		x.update(before, o, changed)
	}
}

// update takes in an object that is known. Most updates change nothing of it that
// is held.
func (x *Index) update(h *held, o object.Object, changed changes) {
	was := h.Object
	if was.Shape == o.Shape {
		h.UID, h.Started = o.UID, o.Started
		if was.Started != o.Started {
			x.note(h.group, changed, readOnly)
		}
	} else {
		x.leave(h, changed)
		h.Object = o
		x.join(h, changed)
	}
	if was.UID != o.UID || was.Shape.Value().Owner != o.Shape.Value().Owner {
		x.rethink(h.ID(), changed)
	}
}

func (x *Index) remove(gone object.ID, changed changes) {
	p := x.population(gone.Kind)
	h := p.objects[key{gone.Namespace, gone.Name}]
	if h == nil {
		return
	}
	delete(p.objects, key{gone.Namespace, gone.Name})
	x.leave(h, changed)
	x.rethink(gone, changed)
}

// find returns an object by its name, nil if there is none or it has another UID.
func (x *Index) find(namespace string, reference object.Owner) *held {
	p := x.kinds[reference.Kind]
	if p == nil {
		return nil
	}
	h := p.objects[key{namespace, reference.Name}]
	if h == nil || h.UID != reference.UID {
		return nil
	}
	return h
}
