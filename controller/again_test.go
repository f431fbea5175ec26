// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
)

// TestRetryFloor: of many namespaces that refuse, each has a back-off of its own,
// and the soonest of them would have one pass follow the other.
func TestRetryFloor(t *testing.T) {
	waits := copies.Leftover{}
	refused := copies.Leftover{Reason: v1alpha1.IssueAdmissionRefused}
	leaving := func(left copies.Leftover) func(*observation) {
		return func(o *observation) { o.report.Left = []copies.Leftover{left} }
	}
	const ms = time.Millisecond
	for name, test := range map[string]struct {
		of          *observation
		after, want time.Duration
	}{
		"nothing to try":              {observed(current, full), 0, 0},
		"refused, due at once":        {observed(current, full), ms, time.Second},
		"refused, due later":          {observed(current, full), 5 * time.Second, 5 * time.Second},
		"a copy has not had its turn": {observed(full, missing), 100 * ms, 100 * ms},
		"nor at once":                 {observed(full, old), ms, 100 * ms},
		"a copy waits to go":          {observed(full).with(leaving(waits)), ms, 100 * ms},
		"a copy cannot go":            {observed(full).with(leaving(refused)), ms, time.Second},
		"nothing to write":            {observed(full, missing).problematic(v1alpha1.ReasonSourceMissing), ms, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			test.of.report.RetryAfter = test.after
			if got := untilNext(test.of, time.Second); got != test.want {
				t.Errorf("in %s, want %s", got, test.want)
			}
		})
	}
}

func TestExpiring(t *testing.T) {
	const day = 24 * time.Hour
	for name, test := range map[string]struct {
		in     time.Duration
		reason string
		status metav1.ConditionStatus
		next   time.Duration
	}{
		"far":       {31 * day, v1alpha1.ReasonNotExpiring, metav1.ConditionFalse, day},
		"30 days":   {30 * day, v1alpha1.ReasonExpiresSoon, metav1.ConditionTrue, 30 * day},
		"tomorrow":  {day, v1alpha1.ReasonExpiresSoon, metav1.ConditionTrue, day},
		"now":       {0, v1alpha1.ReasonExpired, metav1.ConditionTrue, 0},
		"long past": {-400 * day, v1alpha1.ReasonExpired, metav1.ConditionTrue, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := observed(current)
			o.credential.Spec.ExpiresAt = &metav1.Time{Time: now.Add(test.in)}
			status := computeStatus(o)
			got := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionExpiring)
			if got.Reason != test.reason || got.Status != test.status {
				t.Errorf("got %+v", got)
			}
			if status.State != v1alpha1.StateNoIssuesFound || status.Namespaces.Ready != 1 {
				t.Errorf("expiry changed the state to %s", status.State)
			}
			if next := untilNext(o, time.Second); next != test.next {
				t.Errorf("next look in %s, want %s", next, test.next)
			}
		})
	}
	if next := untilNext(observed(current), time.Second); next != 0 {
		t.Errorf("without expiresAt, next look in %s", next)
	}
}
