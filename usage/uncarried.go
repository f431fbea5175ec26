// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"cmp"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/usage/object"
)

// Uncarried is a workload whose annotations are not on its pod templates as they
// would be if they had been carried.
type Uncarried struct {
	schema.GroupKind
	types.NamespacedName
	UID types.UID
}

// String is "<Kind> <namespace>/<name>".
func (u Uncarried) String() string { return u.Kind + " " + u.NamespacedName.String() }

// uncarried are those workloads. They are few: the webhook carries.
type uncarried struct {
	mu        sync.Mutex
	known     map[object.ID]types.UID
	listeners []func()
}

// Uncarried returns the workloads whose annotations were not carried, in order.
func (f *Follower) Uncarried() []Uncarried {
	u := &f.uncarried
	u.mu.Lock()
	defer u.mu.Unlock()
	list := make([]Uncarried, 0, len(u.known))
	for id, uid := range u.known {
		list = append(list, Uncarried{id.Kind.Value(), types.NamespacedName{Namespace: id.Namespace, Name: id.Name}, uid})
	}
	slices.SortFunc(list, func(a, b Uncarried) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// NotifyUncarried has a function called after there is another workload whose
// annotations were not carried, or one less. It must return soon.
func (f *Follower) NotifyUncarried(listener func()) {
	f.uncarried.mu.Lock()
	defer f.uncarried.mu.Unlock()
	f.uncarried.listeners = append(f.uncarried.listeners, listener)
}

// change makes a change, and tells of it if there was one.
func (u *uncarried) change(take func() bool) {
	u.mu.Lock()
	changed := take()
	listeners := slices.Clone(u.listeners)
	u.mu.Unlock()
	if !changed {
		return
	}
	for _, listener := range listeners {
		listener()
	}
}

func (u *uncarried) set(o *object.Object) {
	u.change(func() bool { return u.note(o) })
}

// note takes in an object and says whether anything changed. The lock must be held.
func (u *uncarried) note(o *object.Object) bool {
	id := o.ID()
	uid, known := u.known[id]
	switch {
	case o.Uncarried && uid != o.UID:
		if u.known == nil {
			u.known = map[object.ID]types.UID{}
		}
		u.known[id] = o.UID
		return true
	case known && !o.Uncarried:
		delete(u.known, id)
		return true
	}
	return false
}

func (u *uncarried) remove(id object.ID) {
	u.change(func() bool {
		_, known := u.known[id]
		delete(u.known, id)
		return known
	})
}

// replace takes in all objects of a kind that there are.
func (u *uncarried) replace(kind schema.GroupKind, objects []object.Object) {
	u.change(func() bool {
		changed := false
		there := map[object.ID]bool{}
		for i := range objects {
			if objects[i].Uncarried {
				there[objects[i].ID()] = true
			}
			changed = u.note(&objects[i]) || changed
		}
		for id := range u.known {
			if id.Kind.Value() == kind && !there[id] {
				delete(u.known, id)
				changed = true
			}
		}
		return changed
	})
}
