// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/clock"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Holders knows who needs a copy. It names a few of them, in words, nobody by an
// empty text.
type Holders interface {
	// Known asks an index. It says false while that is not complete.
	Known(c Copy) (by string, ok bool)
	// Live asks the API server, by one consistent list, for live pods that refer to a
	// Secret.
	Live(ctx context.Context, secret types.NamespacedName) (by string, err error)
}

const (
	// inUseRetry is when to look again at a copy that is used. An index tells sooner
	// when it is not any more.
	inUseRetry = 30 * time.Second
	// sayAgain is how long the same users are named, so that pods that come and go are
	// not a write of a status each.
	sayAgain = 5 * time.Second
	// abandoned is how long after its end a drain is still good that nobody looked at.
	abandoned = time.Minute
)

// drain knows which copies wait until nobody can need them. Between two consistent
// lists of pods, both of which show nobody, a period passes: as long as a pod may
// take from its admission until it is stored, and a webhook to hear that a credential
// is being deleted. It is kept in memory only: a new leader begins anew.
type drain struct {
	holders Holders
	clock   clock.PassiveClock
	period  time.Duration

	mu     sync.Mutex
	copies map[types.UID]map[types.NamespacedName]*draining // by credential and copy
}

// draining is one copy that is to go.
type draining struct {
	uid types.UID
	// since is when the first list showed nobody, zero as long as none did.
	since time.Time
	// asked is when this was last looked at.
	asked time.Time
	// said is what was last said of its users.
	said   string
	saidAt time.Time
}

// entry returns what is known of a copy, with the lock held.
func (d *drain) entry(credential types.UID, c Copy) *draining {
	now := d.clock.Now()
	if d.copies[credential] == nil {
		d.copies[credential] = map[types.NamespacedName]*draining{}
	}
	one := d.copies[credential][c.NamespacedName]
	if one == nil || one.uid != c.UID || now.Sub(one.asked) > d.period+abandoned {
		one = &draining{uid: c.UID}
		d.copies[credential][c.NamespacedName] = one
	}
	one.asked = now
	return one
}

// waits says, without a request, why a copy is not to go now, if that is known.
func (d *drain) waits(credential types.UID, c Copy) (Outcome, bool) {
	by, known := d.holders.Known(c)
	d.mu.Lock()
	defer d.mu.Unlock()
	one := d.entry(credential, c)
	switch {
	case !known:
		one.since = time.Time{}
		return Outcome{Exists: true, Reason: v1alpha1.IssueDraining, Message: "who uses it is not known yet", After: later}, true
	case by != "":
		return d.used(one, by, inUseRetry), true
	case one.since.IsZero():
		return Outcome{}, false
	}
	hold := d.until(one)
	return hold, hold.After > 0
}

// until says when a drain ends that has begun, with the lock held.
func (d *drain) until(one *draining) Outcome {
	end := one.since.Add(d.period)
	return Outcome{Exists: true, Reason: v1alpha1.IssueDraining, After: end.Sub(d.clock.Now()),
		Message: fmt.Sprintf("nothing uses it any more; it goes after %s, unless something does by then", end.UTC().Format(time.RFC3339))}
}

// used takes down that somebody needs a copy, with the lock held: its drain begins
// anew when nobody does.
func (d *drain) used(one *draining, by string, after time.Duration) Outcome {
	one.since = time.Time{}
	message := "still used by " + by
	switch left := one.saidAt.Add(sayAgain).Sub(d.clock.Now()); {
	case message == one.said:
	case left > 0:
		after = min(after, left)
	default:
		one.said, one.saidAt = message, d.clock.Now()
	}
	return Outcome{Exists: true, Reason: v1alpha1.IssueInUse, Message: one.said, After: after}
}

// list asks the API server who needs a copy. It says that it may go if nobody did the
// last time either, and the period has passed since.
func (d *drain) list(ctx context.Context, credential types.UID, c Copy) (hold Outcome, free bool) {
	by, err := d.holders.Live(ctx, c.NamespacedName)
	d.mu.Lock()
	defer d.mu.Unlock()
	one := d.entry(credential, c)
	switch {
	case err != nil:
		return Outcome{Exists: true, Reason: v1alpha1.IssueDraining,
			Message: fmt.Sprintf("whether a pod uses it could not be found out (%s); it stays until then", Answer(err))}, false
	case by != "":
		return d.used(one, by, later), false
	case one.since.IsZero():
		one.since = d.clock.Now()
		return d.until(one), false
	}
	return Outcome{}, true
}

// begun says whether the first list of a copy was made.
func (d *drain) begun(credential types.UID, c Copy) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.entry(credential, c).since.IsZero()
}

// retain forgets the copies that are no longer to go.
func (d *drain) retain(credential types.UID, targets map[types.NamespacedName]bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	retain(d.copies, credential, targets)
}

func (d *drain) forgetOthers(existing sets.Set[types.UID]) {
	d.mu.Lock()
	defer d.mu.Unlock()
	forgetOthers(d.copies, existing)
}
