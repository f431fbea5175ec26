// SPDX-License-Identifier: Apache-2.0

package users

import (
	"errors"
	"testing"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/usage"
)

// A status that is refused is written ever more rarely, however often it is asked
// for, and at once when that is over.
func TestRefusedWritesBackOff(t *testing.T) {
	s := newStage(t)
	s.refuse = errors.New("refused")
	failed := 0
	for s.clock.Since(start) < 10*time.Minute {
		result, err := s.Reconcile(t.Context(), ctrl.Request{NamespacedName: key})
		if err != nil {
			failed++
		} else if result.RequeueAfter <= 0 {
			t.Fatal("it does not come back")
		}
		s.clock.SetTime(s.clock.Now().Add(200 * time.Millisecond)) // an event, or the queue's first retry
	}
	if s.writes > 12 || failed != s.writes {
		t.Errorf("%d writes in 10 minutes, of which %d are told", s.writes, failed)
	}
	s.refuse = nil
	s.clock.SetTime(s.clock.Now().Add(maxBackoff))
	s.run()
	s.index.users.Workloads = []usage.User{user("Deployment", "a", "web")}
	s.clock.SetTime(s.clock.Now().Add(time.Second))
	before := s.writes
	s.run()
	s.expect(before+1, v1alpha1.UsedBy{Total: 1, Workloads: 1, Names: []string{"Deployment a/web"}})

	s.refuse, s.index.users.Workloads = errors.New("refused"), nil
	s.clock.SetTime(s.clock.Now().Add(time.Second))
	if _, err := s.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err == nil {
		t.Error("it is not told")
	}
	if wait := s.run(); wait != 2*time.Second {
		t.Errorf("after a success, the first back-off is %s", wait)
	}
}
