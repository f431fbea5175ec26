// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestShows(t *testing.T) {
	secret := func(uid types.UID, version string) *metav1.PartialObjectMetadata {
		s := Secret()
		s.UID, s.ResourceVersion = uid, version
		return s
	}
	nothing := Secret()
	for name, test := range map[string]struct {
		seen, written *metav1.PartialObjectMetadata
		want          bool
	}{
		"not yet created":   {nothing, secret("1", "9"), false},
		"created":           {secret("1", "9"), secret("1", "9"), true},
		"not yet written":   {secret("1", "9"), secret("1", "10"), false},
		"newer":             {secret("1", "11"), secret("1", "10"), true},
		"removed":           {nothing, nil, true},
		"not yet removed":   {secret("1", "9"), nil, false},
		"unknown versions":  {secret("1", "x"), secret("1", "y"), true},
		"made again, newer": {secret("2", "12"), secret("1", "10"), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := shows(test.seen, test.written); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

// TestFinishWaitsUntilStepsHaveLeft: a step that told what came of it and is still on
// record as under way would be put off by the next pass, without a reason.
func TestFinishWaitsUntilStepsHaveLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPass(Wanted{UID: "1", Name: "s"}, nil)
		gone := Copy{NamespacedName: types.NamespacedName{Namespace: "a", Name: "s"}}
		p.begin(dueStep{Step: Step{Action: Remove, Namespace: "a", Copy: gone}})
		p.removed(gone, Outcome{Current: true}, 0)
		finished := false
		go func() {
			p.finish(t.Context(), time.Hour)
			finished = true
		}()
		synctest.Wait()
		if finished {
			t.Error("it is over before its step has left")
		}
		p.leave()
		synctest.Wait()
		if !finished {
			t.Error("it is not over although its step has left")
		}
	})
}
