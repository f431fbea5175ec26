// SPDX-License-Identifier: Apache-2.0

package users

import (
	"sync"
	"time"
)

const (
	// Behind is when to try again after a conflict: the cache is behind then, and not
	// by much.
	Behind = 100 * time.Millisecond
	// maxBackoff bounds how long a status that was refused is not written again.
	maxBackoff = 2 * time.Minute
)

// Pace remembers the last turn of each thing that has a status with users, so that it
// is looked at no more often than at intervals, however much happens. It is of this
// process, and its zero value is ready.
type Pace[id comparable] struct {
	mu    sync.Mutex
	turns map[id]Turn
}

// Turn is when something was last looked at, and what came of it.
type Turn struct {
	// At is when it was looked at, Told when its status was last written.
	At, Told time.Time
	// refused is how many writes in a row failed, until how long that holds back
	// others. The queue's back-off does not do: it ends with the first event that is
	// told to wait.
	refused int
	until   time.Time
}

// Last returns the last turn, zero if there was none.
func (p *Pace[id]) Last(of id) Turn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.turns[of]
}

// Note remembers a turn.
func (p *Pace[id]) Note(of id, now Turn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.turns == nil {
		p.turns = map[id]Turn{}
	}
	p.turns[of] = now
}

// Forget drops what is gone.
func (p *Pace[id]) Forget(of id) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.turns, of)
}

// Wait is how long the next turn has to wait, zero or less if it need not.
func (t *Turn) Wait(now time.Time, interval time.Duration) time.Duration {
	return max(interval-now.Sub(t.At), t.until.Sub(now))
}

// Refused takes down a write that failed. Each holds back others for twice as long as
// the one before.
func (t *Turn) Refused(interval time.Duration) {
	t.refused++
	t.until = t.At.Add(min(interval<<min(t.refused, 20), maxBackoff))
}

// Written takes down that the status says what it should.
func (t *Turn) Written() { t.Told, t.refused, t.until = t.At, 0, time.Time{} }
