// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	clocktesting "k8s.io/utils/clock/testing"
)

// TestReplaceGivesUp: where admission is away, not every pod is tried.
func TestReplaceGivesUp(t *testing.T) {
	var pods []*corev1.Pod
	for i := range 3 * maxFutile {
		name := fmt.Sprintf("p-%02d", i)
		pods = append(pods, of("ReplicaSet", name, name, podOf(t, asksForOpenAI+runs)))
	}
	s := newStage(t, pods...)
	s.admits = false
	s.replace(s.replacer(clocktesting.NewFakePassiveClock(time.Now())))
	if len(s.rehearsed) != maxFutile {
		t.Errorf("%d were tried, want %d", len(s.rehearsed), maxFutile)
	}
}

// TestReplaceInTurn: a few workloads that can never be helped do not keep all others
// from it.
func TestReplaceInTurn(t *testing.T) {
	var pods []*corev1.Pod
	for i := range 2 * maxFutile {
		name := fmt.Sprintf("a-%02d", i)
		pods = append(pods, of("ReplicaSet", name, name, podOf(t, asksForOpenAI+runs)))
	}
	clock := clocktesting.NewFakePassiveClock(time.Now())
	s := newStage(t, append(pods, of("ReplicaSet", "web", "web", podOf(t, asksForOpenAI+runs)))...)
	s.onTry = func(pod *corev1.Pod) bool { return pod.GenerateName == "web-" }
	r := s.replacer(clock)
	for range 3 {
		clock.SetTime(clock.Now().Add(time.Minute))
		s.replace(r)
	}
	if diff := cmp.Diff([]string{"web"}, s.evicted); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(r.futile) != 2*maxFutile {
		t.Errorf("%d are known that were tried in vain", len(r.futile))
	}
	s.pods = nil
	s.replace(r)
	if len(r.futile) != 0 {
		t.Error("what is gone is remembered")
	}
}

// TestReplaceAsksLittle: who can never be replaced is not even read.
func TestReplaceAsksLittle(t *testing.T) {
	s := newStage(t, podOf(t, asksForOpenAI+runs))
	report := s.report()
	s.pods = nil // or the pod would be gone
	if err := s.replacer(clocktesting.NewFakePassiveClock(time.Now())).Replace(t.Context(), &report); err != nil || report.Findings[0].Repair != Uncontrolled {
		t.Errorf("%q, %v", report.Findings[0].Repair, err)
	}
}
