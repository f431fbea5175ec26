// SPDX-License-Identifier: Apache-2.0

package race

import (
	"slices"
	"time"
)

// story is what a race left behind.
type story struct {
	log      []event
	refusals []refusal
	// outages are when no controller was at work, in order. What is promised within a
	// time is not due while they last.
	outages []span
}

// after is when a controller has had so much time since.
func (w *walker) after(at time.Time, work time.Duration) time.Time {
	for _, outage := range w.outages {
		switch {
		case !outage.to.After(at):
		case outage.from.Before(at.Add(work)):
			work -= max(outage.from.Sub(at), 0)
			at = outage.to
		}
	}
	return at.Add(work)
}

// before is since when a controller has had so much time.
func (w *walker) before(at time.Time, work time.Duration) time.Time {
	for _, outage := range slices.Backward(w.outages) {
		switch {
		case !outage.from.Before(at):
		case outage.to.After(at.Add(-work)):
			work -= max(at.Sub(outage.to), 0)
			at = outage.from
		}
	}
	return at.Add(-work)
}
