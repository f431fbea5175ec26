// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"iter"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/usage/object"
)

// Users returns who uses what any of some queries is about.
func (x *Index) Users(queries ...Query) Users {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var (
		users     Users
		workloads = map[User]struct{}{}
		automatic = map[User]struct{}{}
		templates = map[User]struct{}{}
	)
	for f := range x.surveys(queries) {
		for user, as := range f.users {
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
	return users
}

// IsUsed says whether Users would return any, and costs no more than to find the
// first.
func (x *Index) IsUsed(queries ...Query) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for range x.surveys(queries) {
		return true
	}
	return false
}

// UsedIn returns the namespaces in which Users would find any, sorted. In each it costs
// no more than to find the first.
func (x *Index) UsedIn(queries ...Query) []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	used := map[string]struct{}{}
	none := func(found) bool { return false }
	for i := range queries {
		s := survey{index: x}
		for _, namespace := range queries[i].Namespaces {
			if _, known := used[namespace]; known {
				continue
			}
			if s.begin(namespace, &queries[i]); !s.each(none) {
				used[namespace] = struct{}{}
			}
		}
	}
	return slices.Sorted(maps.Keys(used))
}

// surveys are all that queries find, some of it more than once.
func (x *Index) surveys(queries []Query) iter.Seq[found] {
	return func(yield func(found) bool) {
		for i := range queries {
			s := survey{index: x}
			for _, namespace := range queries[i].Namespaces {
				if s.begin(namespace, &queries[i]); !s.each(yield) {
					return
				}
			}
		}
	}
}

func sorted(users map[User]struct{}) []User { return slices.SortedFunc(maps.Keys(users), User.Compare) }

// role is what a user is to what it uses.
type role int

const (
	asWorkload role = iota
	asTemplate
	asAutomatic
)

// found is who uses something: each member of a group, or, of pods that somebody
// owns, the owner. It holds only until the next one is asked for.
type found struct {
	*group
	how object.How
	by  *survey
}

// owned says whether it is the owner who counts.
func (f found) owned() bool { return f.Kind == object.Pod && f.Owner != object.Owner{} }

// role is what they are. Of those who are owned, top is what that leads to.
func (f found) role(top *held) role {
	switch {
	case f.Kind == object.PodTemplate:
		return asTemplate
	case f.how&object.Uses != 0:
	case f.Kind != object.Pod: // some templates get pull secrets as pods do
		if f.how&object.Automatic != 0 {
			return asAutomatic
		}
	case top == nil || top.group.Kind == object.Pod:
		if f.how&object.Automatic != 0 {
			return asAutomatic
		}
	case !f.by.named(top.group):
		return asAutomatic
	}
	return asWorkload
}

// isAutomatic says of those who are owned, without a look at the owner, that they got
// it automatically. It may be so where this does not say so.
func (f found) isAutomatic() bool {
	return f.how&object.Uses == 0 && f.how&object.Automatic != 0 && !f.by.anybodyNames()
}

// users is an iterator over them, with their role.
func (f found) users(yield func(User, role) bool) {
	if f.owned() {
		owner, top := f.by.index.top(f.group)
		yield(userOf(owner.Kind.Value().Kind, f.Namespace, owner.Name), f.role(top))
		return
	}
	kind, as := f.Kind.Value().Kind, f.role(nil)
	for _, h := range f.members {
		if !yield(userOf(kind, f.Namespace, h.Name), as) {
			return
		}
	}
}

func userOf(kind, namespace, name string) User {
	return User{kind, types.NamespacedName{Namespace: namespace, Name: name}}
}

// survey looks for the users of a credential, or an asset, in one namespace.
type survey struct {
	index        *Index
	name, secret *mention
	// looked says of workloads that were looked at whether they name the credential,
	// anybody whether any object but a pod does, 0 before that was looked at.
	looked  map[*group]bool
	anybody answer
}

// answer is yes, no, or none yet.
type answer int8

const (
	no answer = iota - 1
	_
	yes
)

func (s *survey) begin(namespace string, q *Query) {
	s.name, s.secret, s.looked, s.anybody = s.index.names[q.id(namespace)], nil, nil, 0
	if q.Secret != "" {
		s.secret = s.index.names[object.ID{Kind: object.Secret, Namespace: namespace, Name: q.Secret}]
	}
}

// each tells of all that it finds, some of it more than once. Like those below it, it
// says whether more is wanted.
func (s *survey) each(yield func(found) bool) bool {
	if s.name != nil {
		for _, l := range s.name.by {
			if !s.group(l.from, s.how(l.from), yield) {
				return false
			}
		}
	}
	if s.secret == nil {
		return true
	}
	for _, l := range s.secret.by {
		more := true
		switch {
		case l.from.Kind == object.ServiceAccount:
			more = s.account(l.from, yield)
		case l.from.linkTo(s.name) == nil: // the others were looked at
			more = s.group(l.from, l.how, yield)
		}
		if !more {
			return false
		}
	}
	return true
}

// how returns how a group refers to what is asked about.
func (s *survey) how(g *group) (all object.How) {
	for _, m := range []*mention{s.name, s.secret} {
		if l := g.linkTo(m); l != nil {
			all |= l.how
		}
	}
	return all
}

// account finds those that refer to the Secret through service accounts.
func (s *survey) account(accounts *group, yield func(found) bool) bool {
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

// group tells of a group if that uses anything.
func (s *survey) group(g *group, how object.How, yield func(found) bool) bool {
	if how&^object.Automatic == 0 || g.Finished {
		return true
	}
	return yield(found{g, how, s})
}

// named says whether a workload's template names the credential. One that refers to
// much is looked at once for all of its pods.
func (s *survey) named(g *group) bool {
	if !s.anybodyNames() {
		return false
	}
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

// anybodyNames says whether anything but pods refers to what is asked about. Of an
// automatic pull secret, which thousands of workloads have, that is seldom so.
func (s *survey) anybodyNames() bool {
	if s.anybody == 0 {
		s.anybody = no
		for _, m := range []*mention{s.name, s.secret} {
			if m != nil && slices.ContainsFunc(m.by, func(l *link) bool { return l.from.Kind != object.Pod }) {
				s.anybody = yes
			}
		}
	}
	return s.anybody == yes
}
