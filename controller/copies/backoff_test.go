// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/credence-dev/credence/api/v1alpha1"
)

func TestBackoff(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(time.Unix(0, 0))
	b := backoff{clock: clock, base: time.Second, max: 10 * time.Second, attempts: map[types.UID]map[types.NamespacedName]attempt{}}
	a, other := types.NamespacedName{Namespace: "a"}, types.NamespacedName{Namespace: "b"}

	var waits []time.Duration
	for range 6 {
		waits = append(waits, b.note("1", a, Outcome{Reason: "Some"}))
	}
	if diff := cmp.Diff([]time.Duration{1e9, 2e9, 4e9, 8e9, 10e9, 10e9}, waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
	if wait := b.note("1", other, Outcome{Reason: "Some"}); wait != time.Second {
		t.Errorf("another namespace waits %s", wait)
	}
	if wait := b.note("2", a, Outcome{}); wait != time.Second {
		t.Errorf("another credential waits %s", wait)
	}
	if got := b.get("1", a); got.failures != 6 || !got.retryAt.Equal(time.Unix(10, 0)) || got.outcome.Reason != "Some" {
		t.Errorf("remembered is %+v", got)
	}
	if wait := b.note("1", a, Outcome{Current: true}); wait != 0 || b.get("1", a).failures != 0 {
		t.Error("success is not forgotten")
	}
	b.retain("1", map[types.NamespacedName]bool{a: true})
	if len(b.attempts["1"]) != 0 {
		t.Errorf("still remembered: %v", b.attempts["1"])
	}
	for range 6 {
		if wait := b.note("1", a, Outcome{Reason: v1alpha1.IssueNameTaken}); wait > 2500*time.Millisecond {
			t.Errorf("a name that is taken is looked at after %s", wait)
		}
	}
	for range 100 { // no overflow
		if wait := b.note("1", a, Outcome{}); wait <= 0 || wait > 10*time.Second {
			t.Fatalf("wait %s", wait)
		}
	}
}
