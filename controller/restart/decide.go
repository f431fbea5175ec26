// SPDX-License-Identifier: Apache-2.0

package restart

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// change is the last change of a credential's values, as far as it concerns one
// workload that reads them.
type change struct {
	of         *v1alpha1.Credential
	credential types.NamespacedName
	// fingerprint of the values, and when they came to the workload's namespace.
	fingerprint string
	at          time.Time
	// ready says that the Secret that pods read has these values. To restart before
	// would only bring the old ones again.
	ready bool
	// outdated says that a container of a live pod started before.
	outdated bool
}

// state is what a workload says that it was restarted for.
type state struct {
	// fingerprints are those in its pod template.
	fingerprints []string
	record       record
}

// decision is what is to be done about a workload.
type decision struct {
	// due are the changes to restart for, empty if there is nothing to do.
	due []change
	// reverted are the changes of which somebody took the restart back. They are
	// told and not asked for again.
	reverted []change
	// after is the state that answers both.
	after state
	// again is when to look whether a restart is taken back, zero for never.
	again time.Duration
}

// decide is pure. A restart that is missing from the template counts as taken back
// only after a while: whoever applies a manifest as a whole does that too, and its
// pods are new then.
func decide(s state, changes []change, now time.Time, patience time.Duration) decision {
	d := decision{after: state{record: record{}}}
	for _, c := range changes {
		last := s.record.of(c.credential)
		asked := slices.Contains(s.fingerprints, c.fingerprint)
		// The same change under the fingerprint of a key that is lost.
		renamed := last.answers(c) && slices.Contains(s.fingerprints, last.Fingerprint)
		switch {
		case asked || renamed:
			d.keep(c, last, now)
		case last.answers(c):
			d.missed(c, last, now, patience)
		case c.outdated && c.ready:
			d.due = append(d.due, c)
			d.keep(c, answer{}, now)
		}
		if c.outdated && (asked || renamed) {
			d.soon(patience)
		}
	}
	return d
}

// keep takes over into the new state that a change is answered.
func (d *decision) keep(c change, last answer, now time.Time) {
	if !last.answers(c) {
		last = answer{ChangedAt: c.at, At: now}
	}
	last.Fingerprint = c.fingerprint
	d.after.fingerprints = append(d.after.fingerprints, c.fingerprint)
	d.after.record[c.credential.String()] = last
}

// missed judges an answer that is gone from the template.
func (d *decision) missed(c change, last answer, now time.Time, patience time.Duration) {
	if c.outdated && !last.Reverted {
		if wait := last.At.Add(patience).Sub(now); wait > 0 {
			d.soon(wait)
		} else {
			last.Reverted = true
			d.reverted = append(d.reverted, c)
		}
	}
	d.after.record[c.credential.String()] = last
}

func (d *decision) soon(wait time.Duration) {
	if d.again == 0 || wait < d.again {
		d.again = wait
	}
}
