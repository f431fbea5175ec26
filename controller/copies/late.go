// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
)

// late are copies that went when the report that they belong in was given already.
type late struct {
	mu     sync.Mutex
	copies map[types.UID][]Copy // by credential
}

func (l *late) note(credential types.UID, c Copy) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.copies[credential] = append(l.copies[credential], c)
}

// take returns those of a credential, once.
func (l *late) take(credential types.UID) []Copy {
	l.mu.Lock()
	defer l.mu.Unlock()
	gone := l.copies[credential]
	delete(l.copies, credential)
	return gone
}

func (l *late) forgetOthers(existing sets.Set[types.UID]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	forgetOthers(l.copies, existing)
}
