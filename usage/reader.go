// SPDX-License-Identifier: Apache-2.0

package usage

import "time"

// IsOutdated says whether a pod has values from before a change. One that started
// in the same second counts too: times are told in seconds, and a kubelet may have
// had the old values for a moment longer.
func (r Reader) IsOutdated(changed time.Time) bool {
	return !r.StartedAt.IsZero() && !r.StartedAt.After(changed)
}
