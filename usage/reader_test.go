// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"testing"
	"time"

	"github.com/credence-dev/credence/usage"
)

func TestIsOutdated(t *testing.T) {
	changed := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		started, changed time.Time
		want             bool
	}{
		"before":             {changed.Add(-time.Second), changed, true},
		"in the same second": {changed, changed, true},
		"after":              {changed.Add(time.Second), changed, false},
		"does not run":       {time.Time{}, changed, false},
		"never changed":      {changed, time.Time{}, false},
	} {
		if got := (usage.Reader{StartedAt: test.started}).IsOutdated(test.changed); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
