// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"github.com/credence-dev/credence/usage/object"
)

// Injected returns whose live pods name a credential in an annotation and refer to
// its Secret too, which is what an injected pod does: one that nobody injected has
// only the annotation, and one that means another Secret of that name has none.
func (x *Index) Injected(q Query) []User {
	x.mu.RLock()
	defer x.mu.RUnlock()
	users := map[User]struct{}{}
	for _, namespace := range q.Namespaces {
		s := x.survey(namespace, q)
		if s.credential == nil || s.secret == nil {
			continue
		}
		for _, l := range s.credential.by {
			if l.from.Kind == object.Pod && uses(l) && uses(l.from.linkTo(s.secret)) {
				s.group(l.from, l.how, func(user User, _ role) bool {
					users[user] = struct{}{}
					return true
				})
			}
		}
	}
	return sorted(users)
}

// uses says whether a link is more than an owner's, or a record of an injection.
func uses(l *link) bool { return l != nil && l.how&^object.Automatic != 0 }
