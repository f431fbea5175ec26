// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

const day = 24 * time.Hour

// summary is a state in words: CAs by name, times as offsets from the epoch.
type summary struct {
	Current, Next string
	Retired       map[string]time.Duration
	PublishedAt   time.Duration // 0: not published
	Requested     bool
}

func summarize(s state, names map[string]string) summary {
	name := func(s *signer) string {
		if s == nil {
			return ""
		}
		return names[s.String()]
	}
	sum := summary{Current: name(s.current), Next: name(s.next), Requested: s.rotateRequested}
	for _, ca := range s.retired {
		if sum.Retired == nil {
			sum.Retired = map[string]time.Duration{}
		}
		sum.Retired[names[fingerprint(ca.certificate)]] = ca.until.Sub(epoch)
	}
	if !s.nextPublishedAt.IsZero() {
		sum.PublishedAt = s.nextPublishedAt.Sub(epoch)
	}
	return sum
}

func TestDecide(t *testing.T) {
	// A CA of 90 days is due after 60; its leaves are gone 8 days after it has signed for the last time.
	settings := Settings{CADuration: 90 * day, PropagationDelay: 10 * time.Minute, LeafDuration: 7 * day, Slack: day}.WithDefaults()
	old, older := mustSigner(t, epoch, 90*day), mustSigner(t, epoch.Add(-27*day), 90*day)
	next, minted := mustSigner(t, epoch.Add(60*day), 90*day), mustSigner(t, epoch, 500*day)
	names := map[string]string{old.String(): "old", older.String(): "older", next.String(): "next", minted.String(): "minted"}

	bundleOf := func(signers ...*signer) []byte {
		var s state
		for _, signer := range signers {
			s.retired = append(s.retired, retiredCA{certificate: signer.certificate})
		}
		return encodeBundle(s.bundle()...)
	}
	at := epoch.Add
	retire := func(s *signer, until time.Duration) retiredCA { return retiredCA{s.certificate, at(until)} }

	for name, test := range map[string]struct {
		after     time.Duration
		missing   bool
		state     state
		problems  []string
		published [][]byte
		want      summary
		reasons   []string
		wait      time.Duration
	}{
		"no Secret: a CA is made": {
			missing: true,
			want:    summary{Current: "minted"},
			reasons: []string{reasonCreated}, wait: maxWait,
		},
		"unusable Secret: a CA is made": {
			problems: []string{"tls.crt and tls.key are unusable"},
			want:     summary{Current: "minted"},
			reasons:  []string{reasonRepaired, reasonReplaced}, wait: maxWait,
		},
		"unusable CA whose certificate is still in the bundle: it overlaps": {
			state:   state{retired: []retiredCA{{certificate: old.certificate}}},
			want:    summary{Current: "minted", Retired: map[string]time.Duration{"old": 8 * day}},
			reasons: []string{reasonReplaced}, wait: maxWait,
		},
		"unusable CA during a rotation: the next one takes over": {
			after:   60 * day,
			state:   state{next: next, nextPublishedAt: at(60*day - time.Minute)},
			want:    summary{Current: "next"},
			reasons: []string{reasonReplaced}, wait: maxWait,
		},
		"expired CA: a CA is made and the old one is dropped": {
			after:   90 * day,
			state:   state{current: old},
			want:    summary{Current: "minted"},
			reasons: []string{reasonReplaced}, wait: maxWait,
		},
		"expired CA during a rotation that was never published: the next one takes over": {
			after:     90 * day,
			state:     state{current: old, next: next},
			published: [][]byte{bundleOf(old)},
			want:      summary{Current: "next"},
			reasons:   []string{reasonReplaced}, wait: maxWait,
		},
		"young CA: nothing": {
			after: 30 * day,
			state: state{current: old},
			want:  summary{Current: "old"},
			wait:  maxWait,
		},
		"nearly due: the wait ends when it is": {
			after: 60*day - 2*time.Minute,
			state: state{current: old},
			want:  summary{Current: "old"},
			// Two thirds of a life that began 5 minutes before the epoch.
			wait: 20 * time.Second,
		},
		"due: the next CA is made, and not used": {
			after:     60 * day,
			state:     state{current: old},
			published: [][]byte{bundleOf(old)},
			want:      summary{Current: "old", Next: "minted"},
			reasons:   []string{reasonStarted}, wait: pollInterval,
		},
		"due, and nobody to wait for: the delay runs at once": {
			after:   60 * day,
			state:   state{current: old},
			want:    summary{Current: "old", Next: "minted", PublishedAt: 60 * day},
			reasons: []string{reasonStarted, reasonPublished}, wait: pollInterval,
		},
		"asked for: the same, early": {
			after:     day,
			state:     state{current: old, rotateRequested: true},
			published: [][]byte{bundleOf(old)},
			want:      summary{Current: "old", Next: "minted"},
			reasons:   []string{reasonStarted}, wait: pollInterval,
		},
		"asked for during a rotation: that one is the answer": {
			after:     61 * day,
			state:     state{current: old, next: next, rotateRequested: true},
			published: [][]byte{bundleOf(old)},
			want:      summary{Current: "old", Next: "next"},
			wait:      pollInterval,
		},
		"asked for when the CA had to be replaced: that is the answer": {
			state:   state{rotateRequested: true},
			want:    summary{Current: "minted"},
			reasons: []string{reasonReplaced}, wait: maxWait,
		},
		"published in some places: wait": {
			after:     61 * day,
			state:     state{current: old, next: next},
			published: [][]byte{bundleOf(old, next), bundleOf(old), nil},
			want:      summary{Current: "old", Next: "next"},
			wait:      pollInterval,
		},
		"published everywhere: the delay begins, at a full second": {
			after:     61*day + time.Millisecond,
			state:     state{current: old, next: next},
			published: [][]byte{bundleOf(old, next), bundleOf(next, old)},
			want:      summary{Current: "old", Next: "next", PublishedAt: 61*day + time.Second},
			reasons:   []string{reasonPublished}, wait: pollInterval,
		},
		"delay not over: wait": {
			after:     61*day + 10*time.Minute - 3*time.Second,
			state:     state{current: old, next: next, nextPublishedAt: at(61 * day)},
			published: [][]byte{bundleOf(old, next)},
			want:      summary{Current: "old", Next: "next", PublishedAt: 61 * day},
			wait:      3 * time.Second,
		},
		"one place lost it: the delay is off": {
			after:     61*day + time.Hour,
			state:     state{current: old, next: next, nextPublishedAt: at(61 * day)},
			published: [][]byte{bundleOf(old, next), nil},
			want:      summary{Current: "old", Next: "next"},
			reasons:   []string{reasonWithdrawn}, wait: pollInterval,
		},
		"publication in the future, by a clock that was ahead: the delay begins now": {
			after:     61 * day,
			state:     state{current: old, next: next, nextPublishedAt: at(300 * day)},
			published: [][]byte{bundleOf(old, next)},
			want:      summary{Current: "old", Next: "next", PublishedAt: 61 * day},
			reasons:   []string{reasonPublished}, wait: pollInterval,
		},
		"delay over: the next CA signs, the old one stays": {
			after:     61*day + 10*time.Minute,
			state:     state{current: old, next: next, nextPublishedAt: at(61 * day)},
			published: [][]byte{bundleOf(old, next)},
			want:      summary{Current: "next", Retired: map[string]time.Duration{"old": 69*day + 10*time.Minute}},
			reasons:   []string{reasonRotated}, wait: maxWait,
		},
		"a second rotation does not shorten the stay of the first's CA": {
			after:     61*day + 10*time.Minute,
			state:     state{current: old, next: next, nextPublishedAt: at(61 * day), retired: []retiredCA{retire(older, 62*day)}},
			published: [][]byte{bundleOf(old, next)},
			want: summary{Current: "next", Retired: map[string]time.Duration{
				"old": 69*day + 10*time.Minute, "older": 62 * day}},
			reasons: []string{reasonRotated}, wait: maxWait,
		},
		"retired, leaves may be left: stays": {
			after: 69*day - time.Minute,
			state: state{current: next, retired: []retiredCA{retire(old, 69*day)}},
			want:  summary{Current: "next", Retired: map[string]time.Duration{"old": 69 * day}},
			wait:  time.Minute,
		},
		"retired, no leaf left: leaves": {
			after:   69 * day,
			state:   state{current: next, retired: []retiredCA{retire(old, 69*day)}},
			want:    summary{Current: "next"},
			reasons: []string{reasonRetiredOut}, wait: maxWait,
		},
		"retired and expired: leaves early": {
			after:   63 * day,
			state:   state{current: old, retired: []retiredCA{retire(older, 89*day)}},
			want:    summary{Current: "old", Next: "minted", PublishedAt: 63 * day},
			reasons: []string{reasonStarted, reasonPublished, reasonRetiredOut}, wait: pollInterval,
		},
		"next CA is the current one: dropped": {
			after: day,
			state: state{current: old, next: old},
			want:  summary{Current: "old"},
			wait:  maxWait,
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := input{
				now: at(test.after), settings: settings, state: test.state, problems: test.problems, exists: !test.missing,
				published: test.published, mint: func() (*signer, error) { return minted, nil },
			}
			got, steps, err := decide(in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, summarize(got, names)); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
			var reasons []string
			for _, step := range steps {
				reasons = append(reasons, step.reason)
			}
			if diff := cmp.Diff(test.reasons, reasons); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
			if wait := got.wait(in.now, settings); wait != test.wait {
				t.Errorf("wait = %s, want %s", wait, test.wait)
			}
			assertStored(t, in, got, names)
		})
	}
}

// assertStored checks that s survives the Secret, and that a decision on it changes nothing.
func assertStored(t *testing.T, in input, s state, names map[string]string) {
	t.Helper()
	var secret corev1.Secret
	s.writeTo(&secret)
	read, problems := readState(&secret)
	if len(problems) > 0 {
		t.Errorf("stored state has problems: %v", problems)
	}
	in.state, in.problems, in.exists = read, nil, true
	again, steps, err := decide(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(summarize(s, names), summarize(again, names)); diff != "" || len(steps) > 0 {
		t.Errorf("deciding again took steps %v and changed the state (-first +second):\n%s", steps, diff)
	}
}

func TestSettingsValidate(t *testing.T) {
	for name, test := range map[string]struct {
		settings Settings
		ok       bool
	}{
		"defaults":               {Settings{}, true},
		"short but sound":        {Settings{CADuration: time.Hour, LeafDuration: time.Minute, PropagationDelay: time.Second}, true},
		"negative duration":      {Settings{CADuration: -time.Hour}, false},
		"negative slack":         {Settings{Slack: -1}, false},
		"rotate after the end":   {Settings{RotateAt: 1}, false},
		"rotate before the life": {Settings{RotateAt: -0.1}, false},
		"leaf outlives CA":       {Settings{CADuration: day, LeafDuration: day}, false},
		"no time to propagate":   {Settings{CADuration: 10 * day, RotateAt: 0.9, PropagationDelay: 13 * time.Hour}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.settings.Validate(); (err == nil) != test.ok {
				t.Errorf("Validate() = %v, want ok %v", err, test.ok)
			}
		})
	}
}
