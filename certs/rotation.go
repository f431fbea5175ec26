// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// pollInterval is how often a rotation under way looks whether the next CA is still published everywhere; a shorter
	// propagation delay shortens it.
	pollInterval = 10 * time.Second
	// maxWait bounds a wait, because timers stand still while a machine is suspended.
	maxWait = time.Hour
	// latePublication is how long the publication of the next CA may take before somebody is told, and how often then.
	latePublication = time.Hour
)

// Reasons of the events on the CA Secret.
const (
	reasonCreated    = "CACreated"
	reasonReplaced   = "CAReplaced"
	reasonRepaired   = "CASecretRepaired"
	reasonStarted    = "CARotationStarted"
	reasonPublished  = "CAPublished"
	reasonWithdrawn  = "CAPublicationLost"
	reasonRotated    = "CARotated"
	reasonRetiredOut = "CARetired"
	reasonLate       = "CAPublicationLate"
)

// input is everything a decision depends on.
type input struct {
	now      time.Time
	settings Settings
	// state and problems are what [readState] found; exists is false if there is no Secret.
	state    state
	problems []string
	exists   bool
	// published are the bundles that clients have, each PEM.
	published [][]byte
	// mint makes a new CA.
	mint func() (*signer, error)
}

// step is one thing that a decision did, worded for an event.
type step struct {
	eventType, reason, note string
}

// decide returns the state that the CA Secret should have, and what was done to get there. It has no side effects but those
// of in.mint. Deciding again on the result, at the same time, changes nothing.
func decide(in input) (state, []step, error) {
	r := rotation{input: in}
	r.state.retired = slices.Clone(in.state.retired)
	for _, problem := range in.problems {
		r.warn(reasonRepaired, "%s", problem)
	}
	for _, rule := range []func(*rotation) error{
		(*rotation).keepSigning,
		(*rotation).startNext,
		(*rotation).confirmPublication,
		(*rotation).promoteNext,
		(*rotation).dismissRetired,
	} {
		if err := rule(&r); err != nil {
			return state{}, nil, err
		}
	}
	return r.state, r.steps, nil
}

// rotation is a decision in the making: state goes from what was read to what will be written.
type rotation struct {
	input
	steps []step
}

// keepSigning sees to it that there is a CA to sign with. Only here can one sign that has not been published first: there is
// nothing left then that could be disturbed.
func (r *rotation) keepSigning() error {
	s := &r.state
	if !s.next.validAt(r.now) || s.current != nil && s.current.certificate.Equal(s.next.certificate) {
		s.next = nil
	}
	if s.current.validAt(r.now) {
		return nil
	}
	if s.next != nil {
		s.current, s.next = s.next, nil
		r.warn(reasonReplaced, "the signing CA was unusable or expired; CA %s, which was to be next, signs now", s.current)
		return nil
	}
	fresh, err := r.mint()
	if err != nil {
		return err
	}
	s.current, s.rotateRequested = fresh, false
	if r.exists {
		r.warn(reasonReplaced, "the signing CA was unusable or expired; made CA %s, which signs now", fresh)
	} else {
		r.note(reasonCreated, "made CA %s, valid until %s", fresh, stamp(fresh.certificate.NotAfter))
	}
	return nil
}

// startNext makes the next CA when the current one is old enough, or when asked. A request during a rotation is answered by
// that rotation.
func (r *rotation) startNext() error {
	s := &r.state
	requested := s.rotateRequested
	s.rotateRequested = false
	if s.next != nil || !requested && r.now.Before(r.settings.due(s.current.certificate)) {
		return nil
	}
	next, err := r.mint()
	if err != nil {
		return err
	}
	s.next, s.nextPublishedAt = next, time.Time{}
	r.note(reasonStarted, "made CA %s to succeed %s; publishing it", next, s.current)
	return nil
}

// confirmPublication notes since when every client trusts the next CA. One client that has lost it starts the wait anew.
func (r *rotation) confirmPublication() error {
	s := &r.state
	switch {
	case s.next == nil:
		s.nextPublishedAt = time.Time{}
	case !r.publishedEverywhere(s.next):
		if !s.nextPublishedAt.IsZero() {
			r.warn(reasonWithdrawn, "CA %s is no longer published everywhere; waiting for that again", s.next)
		}
		s.nextPublishedAt = time.Time{}
	case s.nextPublishedAt.IsZero() || s.nextPublishedAt.After(fullSecond(r.now)): // the latter: a clock that was ahead
		s.nextPublishedAt = fullSecond(r.now)
		r.note(reasonPublished, "CA %s is published everywhere; it signs from %s", s.next,
			stamp(s.nextPublishedAt.Add(r.settings.PropagationDelay)))
	}
	return nil
}

func (r *rotation) publishedEverywhere(ca *signer) bool {
	return arrived(r.published, ca) == len(r.published)
}

// arrived counts the bundles that a CA is in.
func arrived(published [][]byte, ca *signer) (n int) {
	for _, bundle := range published {
		if certificates, _ := parseBundle(bundle); contains(certificates, ca.certificate) {
			n++
		}
	}
	return n
}

// lateness says whether the next CA should long have been published. A rotation waits for that as long as it takes, and
// the CA that signs expires some day.
func (s state) lateness(now time.Time, published [][]byte) (step, bool) {
	if s.next == nil || !s.nextPublishedAt.IsZero() {
		return step{}, false
	}
	made := s.next.certificate.NotBefore // up to maxBackdate before it was made
	return step{corev1.EventTypeWarning, reasonLate, fmt.Sprintf(
		"CA %s, of %s, is still not published everywhere: %d of %d entries of webhook configurations have it; CA %s signs until they do, or until it expires at %s",
		s.next, stamp(made), arrived(published, s.next), len(published), s.current, stamp(s.current.certificate.NotAfter))}, now.Sub(made) >= latePublication+maxBackdate
}

// promoteNext lets the next CA sign once everybody has had the time to learn of it.
func (r *rotation) promoteNext() error {
	s := &r.state
	if s.nextPublishedAt.IsZero() || r.now.Before(s.nextPublishedAt.Add(r.settings.PropagationDelay)) {
		return nil
	}
	old := retiredCA{s.current.certificate, r.settings.retireAt(r.now)}
	s.retired = append([]retiredCA{old}, s.retired...)
	s.current, s.next, s.nextPublishedAt = s.next, nil, time.Time{}
	r.note(reasonRotated, "CA %s signs now; %s stays trusted until %s", s.current, fingerprint(old.certificate), stamp(old.until))
	return nil
}

// dismissRetired removes from the bundle the CAs of which no valid leaf can be left.
func (r *rotation) dismissRetired() error {
	s := &r.state
	s.retired = slices.DeleteFunc(s.retired, func(ca retiredCA) bool {
		gone := !r.now.Before(ca.certificate.NotAfter) || !ca.until.IsZero() && !r.now.Before(ca.until)
		if gone {
			r.note(reasonRetiredOut, "CA %s has left the bundle: no leaf of it is valid any more", fingerprint(ca.certificate))
		}
		return gone
	})
	for i := range s.retired {
		if s.retired[i].until.IsZero() {
			s.retired[i].until = r.settings.retireAt(r.now)
		}
	}
	return nil
}

func (r *rotation) note(reason, format string, args ...any) {
	r.steps = append(r.steps, step{corev1.EventTypeNormal, reason, fmt.Sprintf(format, args...)})
}

func (r *rotation) warn(reason, format string, args ...any) {
	r.steps = append(r.steps, step{corev1.EventTypeWarning, reason, fmt.Sprintf(format, args...)})
}

// wait is how long nothing will have to be decided for s, unless something else changes.
func (s state) wait(now time.Time, settings Settings) time.Duration {
	wait := maxWait
	until := func(t time.Time) { wait = min(wait, t.Sub(now)) }
	if s.next == nil {
		until(settings.due(s.current.certificate))
	} else {
		wait = min(pollInterval, settings.PropagationDelay)
	}
	if !s.nextPublishedAt.IsZero() {
		until(s.nextPublishedAt.Add(settings.PropagationDelay))
	}
	for _, ca := range s.retired {
		until(ca.until)
	}
	return max(wait, time.Second)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
