// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// settled remembers copies that are in order and have another writer on record:
// one that wrote the same values as we did. Writing would not change that, so
// nothing is tried until the copy changes.
type settled struct {
	mu       sync.Mutex
	versions map[types.UID]map[types.NamespacedName]version // by credential and copy
}

// version is a copy as it was found.
type version struct {
	uid      types.UID
	resource string
}

// note takes down a copy that is in order, if it is one that looks edited.
func (s *settled) note(credential types.UID, secret *metav1.PartialObjectMetadata) {
	if len(foreignWriters(secret.ManagedFields)) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.versions[credential] == nil {
		s.versions[credential] = map[types.NamespacedName]version{}
	}
	s.versions[credential][client.ObjectKeyFromObject(secret)] = version{secret.UID, secret.ResourceVersion}
}

// has says whether a copy that looks edited was found to be in order.
func (s *settled) has(wanted Wanted, c Copy) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.versions[wanted.UID][c.NamespacedName]
	return ok && found == version{c.UID, c.ResourceVersion} && c.CredentialUID == wanted.UID && c.Fingerprint == wanted.Fingerprint
}

// retain forgets the copies that are no longer of interest to a credential.
func (s *settled) retain(credential types.UID, targets map[types.NamespacedName]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	retain(s.versions, credential, targets)
}

func (s *settled) forgetOthers(existing sets.Set[types.UID]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	forgetOthers(s.versions, existing)
}
