// SPDX-License-Identifier: Apache-2.0

package strays

import (
	"strings"
	"testing"
	"time"

	"github.com/credence-dev/credence/credential/words"
)

func TestJudge(t *testing.T) {
	for name, test := range map[string]struct {
		evidence
		held string
	}{
		"few":                       {evidence{resourcePresent, 1, 10, 20, 0}, ""},
		"few of many":               {evidence{resourcePresent, 1, 20, 100, 0}, ""},
		"too many":                  {evidence{resourcePresent, 1, 21, 100, 0}, heldTooMany},
		"eleven of few":             {evidence{resourcePresent, 1, 11, 20, 0}, heldTooMany},
		"one after the other":       {evidence{resourcePresent, 1, 5, 20, 6}, heldTooMany},
		"one after the other, few":  {evidence{resourcePresent, 1, 5, 20, 5}, ""},
		"one after the other, many": {evidence{resourcePresent, 1, 10, 90, 10}, ""},
		"no Credential":             {evidence{resourcePresent, 0, 1, 1, 0}, heldNoCredentials},
		"resource deleted":          {evidence{resourceMissing, 0, 1, 100, 0}, heldResourceMissing},
		"resource terminating":      {evidence{resourceTerminating, 5, 1, 100, 0}, heldResourceTerminating},
	} {
		t.Run(name, func(t *testing.T) {
			reason, message := judge(test.evidence)
			if reason != test.held {
				t.Errorf("held because of %q", reason)
			}
			if (message != "") != (reason != "") || len(message) > words.EventNote {
				t.Errorf("%d bytes: %s", len(message), message)
			}
		})
	}
}

func TestRecent(t *testing.T) {
	start := time.Unix(0, 0)
	var r recent
	r.add(start, 3)
	r.add(start.Add(time.Minute), 4)
	for after, want := range map[time.Duration]int{time.Minute: 7, pastWindow - 1: 7} {
		if got := r.count(start.Add(after)); got != want {
			t.Errorf("after %s: %d", after, got)
		}
	}
	if got := r.count(start.Add(pastWindow)); got != 4 || len(r) != 1 {
		t.Errorf("%d, of %d remembered", got, len(r))
	}
}

func TestReleases(t *testing.T) {
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]string{
		"2027-03-01T12:10:00Z":      "",
		"2027-03-01T14:10:00+02:00": "",
		"2027-03-01T13:00:00Z":      "",
		"2027-03-01T13:00:01Z":      "ahead",
		"2027-03-01T12:00:00Z":      "passed",
		"2026-03-01T12:00:00Z":      "passed",
		"true":                      "RFC 3339",
		"":                          "RFC 3339",
	} {
		err := releases(value, now)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", value, err)
		}
	}
}
