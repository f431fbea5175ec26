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
		s := x.survey(namespace, q)
		s.each(func(user User, as role) {
			namespaces[namespace] = struct{}{}
			switch as {
			case asWorkload:
				workloads[user] = struct{}{}
			case asTemplate:
				templates[user] = struct{}{}
			case asAutomatic:
				automatic[user] = struct{}{}
			}
		})
	}
	maps.DeleteFunc(automatic, func(user User, _ struct{}) bool {
		_, named := workloads[user]
		return named
	})
	users.Workloads, users.Templates, users.Automatic = sorted(workloads), sorted(templates), sorted(automatic)
	users.Namespaces = slices.Sorted(maps.Keys(namespaces))
	return users
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

// each calls a function for each user, some maybe more than once.
func (s *survey) each(found func(User, role)) {
	if s.credential != nil {
		for _, l := range s.credential.by {
			s.group(l.from, s.how(l.from), found)
		}
	}
	if s.secret == nil {
		return
	}
	for _, l := range s.secret.by {
		switch {
		case l.from.Kind == object.ServiceAccount:
			s.account(l.from, found)
		case l.from.linkTo(s.credential) == nil: // the others were looked at
			s.group(l.from, l.how, found)
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
func (s *survey) account(accounts *group, found func(User, role)) {
	for _, account := range accounts.members {
		m := s.index.names[account.ID()]
		if m == nil {
			continue
		}
		for _, l := range m.by {
			s.group(l.from, l.how, found)
		}
	}
}

// group finds the users that a group's objects are.
func (s *survey) group(g *group, how object.How, found func(User, role)) {
	switch {
	case how&^object.Automatic == 0 || g.Finished:
	case g.Kind != object.Pod:
		as := asWorkload
		if g.Kind == object.PodTemplate {
			as = asTemplate
		}
		s.members(g, as, found)
	case g.Owner == object.Owner{}:
		as := asWorkload
		if how&object.Uses == 0 && how&object.Automatic != 0 {
			as = asAutomatic
		}
		s.members(g, as, found)
	default:
		s.owned(g, how, found)
	}
}

func (s *survey) members(g *group, as role, found func(User, role)) {
	for _, h := range g.members {
		found(User{g.Kind.Value().Kind, types.NamespacedName{Namespace: g.Namespace, Name: h.Name}}, as)
	}
}

// owned finds the top-level owner of pods.
func (s *survey) owned(g *group, how object.How, found func(User, role)) {
	reference, top := s.index.top(g)
	as := asWorkload
	switch {
	case how&object.Uses != 0:
	case top != nil && top.Kind != object.Pod && !s.named(top), (top == nil || top.Kind == object.Pod) && how&object.Automatic != 0:
		as = asAutomatic
	}
	found(User{reference.Kind.Value().Kind, types.NamespacedName{Namespace: g.Namespace, Name: reference.Name}}, as)
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
