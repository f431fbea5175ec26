// SPDX-License-Identifier: Apache-2.0

package restart

import (
	"testing"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/feed"
)

// TestAssetsConcernNothing: assets come by the same way as credentials.
func TestAssetsConcernNothing(t *testing.T) {
	for what, change := range map[string]feed.Change{
		"a new one":        {After: &v1alpha1.Environment{}},
		"one that changes": {Before: &v1alpha1.DataSource{}, After: &v1alpha1.DataSource{}},
		"one that goes":    {Before: &v1alpha1.WorkloadTemplate{}},
	} {
		w, _ := newWatch(t)
		w.onFeed(change)
		if noted := w.take(); noted.all || len(noted.credentials)+len(noted.places) > 0 {
			t.Errorf("%s is noted: %+v", what, noted)
		}
	}
}
