// SPDX-License-Identifier: Apache-2.0

package carry

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/usage"
)

// TestPause: whoever takes back what was carried is let be, each time twice as long;
// who writes something else is served at once.
func TestPause(t *testing.T) {
	const uid, patience = types.UID("web"), 5 * time.Minute
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	var m memory
	pause := func(what string, want time.Duration) {
		t.Helper()
		if got := m.pause(uid, what, now, patience); max(got, 0) != want {
			t.Errorf("%s: a pause of %s, want %s", what, got, want)
		}
	}
	pause("a", 0)
	m.carried(uid, "a", now)
	pause("a", patience)
	pause("b", 0)
	now = now.Add(patience)
	pause("a", 0)
	m.carried(uid, "a", now)
	pause("a", 2*patience)
	for range 20 {
		m.carried(uid, "a", now)
	}
	pause("a", longest)
	m.carried(uid, "b", now)
	pause("a", 0)
	pause("b", patience)
	now = now.Add(3 * longest)
	pause("b", 0)
	m.carried(uid, "b", now)
	pause("b", patience) // from the start: it was forgotten
}

// TestTell: each thing once, and again when it came again.
func TestTell(t *testing.T) {
	var m memory
	tell := func(uid types.UID, what string, want bool) {
		t.Helper()
		if got := m.tell(uid, what); got != want {
			t.Errorf("%s of %s is news: %t", what, uid, got)
		}
	}
	tell("web", "a", true)
	tell("web", "a", false)
	tell("db", "a", true)
	tell("web", "b", true)
	m.keep([]usage.Uncarried{{UID: "db"}})
	tell("db", "a", false)
	tell("web", "b", true)
}
