// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"cmp"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/usage/object"
)

// Users returns who uses a credential.
func (x *Index) Users(q Query) Users {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var (
		users      Users
		workloads  = map[User]struct{}{}
		automatic  = map[User]struct{}{}
		templates  = map[User]struct{}{}
		namespaces = map[string]struct{}{}
	)
	for _, namespace := range q.Namespaces {
		for user, as := range x.survey(namespace, q).each {
			namespaces[namespace] = struct{}{}
			switch as {
			case asWorkload:
				workloads[user] = struct{}{}
			case asTemplate:
				templates[user] = struct{}{}
			case asAutomatic:
				automatic[user] = struct{}{}
			}
		}
	}
	maps.DeleteFunc(automatic, func(user User, _ struct{}) bool {
		_, named := workloads[user]
		return named
	})
	users.Workloads, users.Templates, users.Automatic = sorted(workloads), sorted(templates), sorted(automatic)
	users.Namespaces = slices.Sorted(maps.Keys(namespaces))
	return users
}

// IsUsed says whether Users would return any, and costs no more than to find the
// first.
func (x *Index) IsUsed(q Query) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, namespace := range q.Namespaces {
		for range x.survey(namespace, q).each {
			return true
		}
	}
	return false
}

func sorted(users map[User]struct{}) []User {
	return slices.SortedFunc(maps.Keys(users), func(a, b User) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
}

// role is what a user is to a credential.
type role int

const (
	asWorkload role = iota
	asTemplate
	asAutomatic
)

// survey looks for the users of a credential in one namespace.
type survey struct {
	index              *Index
	credential, secret *mention
	// looked says of workloads that were looked at whether they name the credential.
	looked map[*group]bool
}

func (x *Index) survey(namespace string, q Query) *survey {
	return &survey{
		index:      x,
		credential: x.names[object.ID{Kind: object.Credential, Namespace: namespace, Name: q.Name}],
		secret:     x.names[object.ID{Kind: object.Secret, Namespace: namespace, Name: q.Secret}],
	}
}

// each is an iterator over the users, some of which may come more than once. Those
// below it take the same function, and say whether it wants more.
func (s *survey) each(yield func(User, role) bool) {
	if s.credential != nil {
		for _, l := range s.credential.by {
			if !s.group(l.from, s.how(l.from), yield) {
				return
			}
		}
	}
	if s.secret == nil {
		return
	}
	for _, l := range s.secret.by {
		more := true
		switch {
		case l.from.Kind == object.ServiceAccount:
			more = s.account(l.from, yield)
		case l.from.linkTo(s.credential) == nil: // the others were looked at
			more = s.group(l.from, l.how, yield)
		}
		if !more {
			return
		}
	}
}

// how returns how a group refers to the credential.
func (s *survey) how(g *group) (all object.How) {
	for _, m := range []*mention{s.credential, s.secret} {
		if l := g.linkTo(m); l != nil {
			all |= l.how
		}
	}
	return all
}

// account finds those that refer to the Secret through service accounts.
func (s *survey) account(accounts *group, yield func(User, role) bool) bool {
	for _, account := range accounts.members {
		m := s.index.names[account.ID()]
		if m == nil {
			continue
		}
		for _, l := range m.by {
			if !s.group(l.from, l.how, yield) {
				return false
			}
		}
	}
	return true
}

// group finds the users that a group's objects are.
func (s *survey) group(g *group, how object.How, yield func(User, role) bool) bool {
	switch {
	case how&^object.Automatic == 0 || g.Finished:
		return true
	case g.Kind != object.Pod:
		as := asWorkload
		if g.Kind == object.PodTemplate {
			as = asTemplate
		}
		return members(g, as, yield)
	case g.Owner == object.Owner{}:
		as := asWorkload
		if how&object.Uses == 0 && how&object.Automatic != 0 {
			as = asAutomatic
		}
		return members(g, as, yield)
	}
	return yield(s.owner(g, how))
}

func members(g *group, as role, yield func(User, role) bool) bool {
	for _, h := range g.members {
		if !yield(User{g.Kind.Value().Kind, types.NamespacedName{Namespace: g.Namespace, Name: h.Name}}, as) {
			return false
		}
	}
	return true
}

// owner finds the top-level owner of pods.
func (s *survey) owner(g *group, how object.How) (User, role) {
	reference, top := s.index.top(g)
	as := asWorkload
	switch {
	case how&object.Uses != 0:
	case top != nil && top.Kind != object.Pod && !s.named(top), (top == nil || top.Kind == object.Pod) && how&object.Automatic != 0:
		as = asAutomatic
	}
	return User{reference.Kind.Value().Kind, types.NamespacedName{Namespace: g.Namespace, Name: reference.Name}}, as
}

// named says whether a workload's template names the credential. One that refers to
// much is looked at once for all of its pods.
func (s *survey) named(g *group) bool {
	named, known := s.looked[g]
	if known {
		return named
	}
	named = s.how(g) != 0 || slices.ContainsFunc(g.accounts(), func(l link) bool {
		via := s.index.through(&l)
		return via != nil && via.linkTo(s.secret) != nil
	})
	if g.references > few {
		if s.looked == nil {
			s.looked = map[*group]bool{}
		}
		s.looked[g] = named
	}
	return named
}

// maxOwners bounds how far owners are followed: anybody may write references in a
// circle.
const maxOwners = 16

// top goes up the controllers of a group. It returns the last reference, and the
// group of what that leads to, nil where it is not followed.
func (x *Index) top(g *group) (object.Owner, *group) {
	for range maxOwners {
		h := x.find(g.Namespace, g.Owner)
		if h == nil {
			return g.Owner, nil
		}
		if h.group.Owner == (object.Owner{}) {
			return g.Owner, h.group
		}
		g = h.group
	}
	return g.Owner, nil
}

// Readers returns the live pods that read a credential through environment
// variables, sorted by namespace and name.
func (x *Index) Readers(q Query) []Reader {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var readers []Reader
	for _, namespace := range slices.Compact(slices.Sorted(slices.Values(q.Namespaces))) {
		m := x.names[object.ID{Kind: object.Secret, Namespace: namespace, Name: q.Secret}]
		if m == nil {
			continue
		}
		for _, l := range m.by {
			if l.readers != 0 && l.from.Kind == object.Pod {
				readers = x.readersIn(l.from, l.readers, readers)
			}
		}
	}
	slices.SortFunc(readers, func(a, b Reader) int {
		return cmp.Or(cmp.Compare(a.Pod.Namespace, b.Pod.Namespace), cmp.Compare(a.Pod.Name, b.Pod.Name))
	})
	return readers
}

func (x *Index) readersIn(g *group, containers uint64, readers []Reader) []Reader {
	rolls := x.roller(g)
	for _, h := range g.members {
		reader := Reader{Pod: types.NamespacedName{Namespace: g.Namespace, Name: h.Name}, Workload: rolls}
		if started := h.Started.Earliest(containers); started != 0 {
			reader.StartedAt = time.Unix(int64(started), 0).UTC()
		}
		readers = append(readers, reader)
	}
	return readers
}

// roller returns the nearest owner that replaces its pods when its template
// changes.
func (x *Index) roller(g *group) Workload {
	for range maxOwners {
		if g.Owner == (object.Owner{}) {
			break
		}
		if kind := g.Owner.Kind.Value(); kind.Group == appsv1.GroupName &&
			(kind.Kind == "Deployment" || kind.Kind == "StatefulSet" || kind.Kind == "DaemonSet") {
			name := types.NamespacedName{Namespace: g.Namespace, Name: g.Owner.Name}
			return Workload{g.Owner.APIVersion, kind.Kind, name, g.Owner.UID}
		}
		h := x.find(g.Namespace, g.Owner)
		if h == nil {
			break
		}
		g = h.group
	}
	return Workload{}
}
