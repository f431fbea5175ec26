// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A flood of names that mean nothing is no flood on the API server, though each
// review ends at once and no two ask for the same. One namespace does not use up the
// reads of the others, and many together are limited as well.
func TestLiveReadsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.know(namespace(systemNamespace, nil))
		for i := range 20 {
			f.know(project(fmt.Sprintf("team-%d", i), ""))
		}
		next := 0
		flood := func(namespace string, want int) {
			t.Helper()
			f.cluster.asked()
			for range 300 {
				next++
				answer := f.admit(namespace, naming(fmt.Sprintf("c%d", next)))
				if code := answer.response.Result.Code; code != http.StatusForbidden && code != http.StatusServiceUnavailable {
					t.Errorf("answer: %s", answer.body)
				}
			}
			if got := len(f.cluster.asked()); got != want {
				t.Errorf("%s: %d live reads, want %d", namespace, got, want)
			}
		}
		flood("team-0", 60)
		flood("team-0", 0)
		flood("team-1", 60)
		pass(time.Second)
		flood("team-0", 20)
		pass(10 * time.Second)
		for i := range 3 {
			flood(fmt.Sprintf("team-%d", 10+i), 60)
		}
		flood("team-13", 20) // 200 in all
		flood("team-14", 0)
		if busy := f.counters()["credence_admission_live_reads_total{busy}"]; busy == 0 {
			t.Error("the reads that were not made are not counted")
		}
		pass(time.Minute)
		f.cluster.create(generic("team-0", "openai", ""))
		if answer := f.admit("team-0", naming("openai")); !answer.response.Allowed {
			t.Errorf("after the flood: %s", answer.body)
		}
	})
}
