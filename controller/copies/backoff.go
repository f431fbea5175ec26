// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/clock"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// backoff remembers, for each copy, what went wrong and when to try again. Each
// namespace has its own, so that one that refuses costs the others nothing. It is
// kept in memory only: a new leader tries everything once.
type backoff struct {
	clock     clock.PassiveClock
	base, max time.Duration

	mu       sync.Mutex
	attempts map[types.UID]map[types.NamespacedName]attempt // by credential and copy
}

// attempt is what came of the last try.
type attempt struct {
	failures int
	retryAt  time.Time
	outcome  Outcome
}

// get returns the last try, which is zero if there was none.
func (b *backoff) get(credential types.UID, target types.NamespacedName) attempt {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.attempts[credential][target]
}

// note takes down how a try went and returns how long to wait for the next,
// zero if there is nothing to wait for.
func (b *backoff) note(credential types.UID, target types.NamespacedName, outcome Outcome) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if outcome.Current {
		delete(b.attempts[credential], target)
		return 0
	}
	if b.attempts[credential] == nil {
		b.attempts[credential] = map[types.NamespacedName]attempt{}
	}
	if outcome.After > 0 {
		// It did not fail. What it waits for may be over sooner.
		b.attempts[credential][target] = attempt{retryAt: b.clock.Now().Add(min(outcome.After, later)), outcome: outcome}
		return outcome.After
	}
	last := b.attempts[credential][target]
	// 1 s, 2 s, 4 s …: static or very short waits are what overloads an API server
	// when many namespaces refuse at once (external-secrets#2100).
	limit := b.max
	if outcome.Reason == v1alpha1.IssueNameTaken {
		limit /= 4 // a look costs little, and no event tells that the name is free
	}
	wait := min(b.base<<min(last.failures, 20), limit)
	b.attempts[credential][target] = attempt{
		failures: last.failures + 1,
		retryAt:  b.clock.Now().Add(wait),
		outcome:  outcome,
	}
	return wait
}

// retain forgets the copies that are no longer of interest to a credential.
func (b *backoff) retain(credential types.UID, targets map[types.NamespacedName]bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	retain(b.attempts, credential, targets)
}

// retain drops what is remembered of a credential for other targets than these.
func retain[of any](remembered map[types.UID]map[types.NamespacedName]of, credential types.UID, targets map[types.NamespacedName]bool) {
	maps.DeleteFunc(remembered[credential], func(target types.NamespacedName, _ of) bool { return !targets[target] })
	if len(remembered[credential]) == 0 {
		delete(remembered, credential)
	}
}

// forgetOthers forgets credentials other than those that there are.
func (b *backoff) forgetOthers(existing sets.Set[types.UID]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	forgetOthers(b.attempts, existing)
}

func forgetOthers[of any](remembered map[types.UID]of, existing sets.Set[types.UID]) {
	maps.DeleteFunc(remembered, func(credential types.UID, _ of) bool { return !existing.Has(credential) })
}
