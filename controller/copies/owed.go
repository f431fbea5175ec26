// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
)

// owed are copies that were deleted and that a pod may need all the same, because it
// was stored in that moment. Their values are held in memory, and nowhere else, until
// that is settled.
type owed struct {
	mu     sync.Mutex
	copies map[types.UID]map[types.NamespacedName]owedCopy // by credential
	// last is what the last one was that went of a credential which is being deleted:
	// all of its copies are the same, and pods that need one may still come.
	last map[types.UID]Wanted
}

// owedCopy is one of them, with what it has to be to be there again.
type owedCopy struct {
	Copy
	secret *corev1.Secret
}

func newOwed() owed {
	return owed{copies: map[types.UID]map[types.NamespacedName]owedCopy{}, last: map[types.UID]Wanted{}}
}

// note takes down a copy before it is deleted.
func (o *owed) note(wanted Wanted, one owedCopy) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.copies[wanted.UID] == nil {
		o.copies[wanted.UID] = map[types.NamespacedName]owedCopy{}
	}
	o.copies[wanted.UID][one.NamespacedName] = one
}

// settle takes down that nobody needs a copy, or that it is back.
func (o *owed) settle(wanted Wanted, key types.NamespacedName) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.copies[wanted.UID], key)
	if len(o.copies[wanted.UID]) == 0 {
		delete(o.copies, wanted.UID)
	}
}

// remember keeps the values of a copy that went.
func (o *owed) remember(wanted Wanted) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last[wanted.UID] = wanted
}

func (o *owed) recall(credential types.UID) (Wanted, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	wanted, ok := o.last[credential]
	return wanted, ok
}

// get returns a copy that is owed, and false if it is not.
func (o *owed) get(credential types.UID, key types.NamespacedName) (owedCopy, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	one, ok := o.copies[credential][key]
	return one, ok
}

// all returns the copies that are owed of a credential.
func (o *owed) all(credential types.UID) (all []Copy) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, one := range o.copies[credential] {
		all = append(all, one.Copy)
	}
	return all
}

// forget drops the values of a credential that is let go.
func (o *owed) forget(credential types.UID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.last, credential)
}

// forgetOthers drops the values of credentials that are gone.
func (o *owed) forgetOthers(existing sets.Set[types.UID]) {
	o.mu.Lock()
	defer o.mu.Unlock()
	forgetOthers(o.copies, existing)
	forgetOthers(o.last, existing)
}
