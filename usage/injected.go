// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"github.com/credence-dev/credence/usage/object"
)

// Injected returns whose live pods name a credential, or an asset, in an annotation
// and refer to its Secret too, which is what an injected pod does: one that nobody
// injected has only the annotation, and one that means another Secret of that name
// has none. Of an asset the Secret is that of a credential which it gives.
func (x *Index) Injected(queries ...Query) []User {
	x.mu.RLock()
	defer x.mu.RUnlock()
	users := map[User]struct{}{}
	for i := range queries {
		s := survey{index: x}
		for _, namespace := range queries[i].Namespaces {
			s.begin(namespace, &queries[i])
			s.injected(func(f found) bool {
				for user := range f.users {
					users[user] = struct{}{}
				}
				return true
			})
		}
	}
	return sorted(users)
}

// injected tells of live pods that have the annotation and the Secret.
func (s *survey) injected(yield func(found) bool) {
	if s.name == nil || s.secret == nil {
		return
	}
	for _, l := range s.name.by {
		if l.from.Kind == object.Pod && uses(l) && uses(l.from.linkTo(s.secret)) && !s.group(l.from, l.how, yield) {
			return
		}
	}
}

// uses says whether a link is more than an owner's, or a record of an injection.
func uses(l *link) bool { return l != nil && l.how&^object.Automatic != 0 }
