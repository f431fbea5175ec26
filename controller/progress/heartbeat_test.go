// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"context"
	"fmt"
	"testing"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
)

// TestDue: everything has one turn in each resync interval, and they do not all have
// the same.
func TestDue(t *testing.T) {
	const objects = 1000
	var all []ctrl.Request
	for i := range objects {
		var r ctrl.Request
		r.Namespace, r.Name = "system", fmt.Sprint(i)
		all = append(all, r)
	}
	for name, test := range map[string]struct {
		resync      time.Duration
		beats, most int
	}{
		"once in ten beats":         {10 * time.Minute, 10, objects / 5},
		"oftener than there is one": {time.Second, 1, objects},
	} {
		t.Run(name, func(t *testing.T) {
			h := &Heartbeat{Interval: time.Minute, Resync: test.resync, All: func(context.Context) []ctrl.Request { return all }}
			turns := map[ctrl.Request]int{}
			for beat := range test.beats {
				due := h.due(t.Context(), uint32(beat+7))
				if len(due) > test.most {
					t.Errorf("%d are due at once", len(due))
				}
				for _, r := range due {
					turns[r]++
				}
			}
			for _, r := range all {
				if turns[r] != 1 {
					t.Errorf("%s has %d turns", r, turns[r])
				}
			}
		})
	}
}
