// SPDX-License-Identifier: Apache-2.0

package annotation

import (
	"fmt"

	"github.com/agnivade/levenshtein"
)

// Nearest returns `; did you mean "…"?` with the name that was probably meant,
// or nothing where none is near: at most a third of it may differ. Of equally
// near names the first wins.
func Nearest(name string, names []string) string {
	best, distance := "", len(name)/3+1
	for _, candidate := range names {
		if d := levenshtein.ComputeDistance(name, candidate); d <= distance && (best == "" || d < distance) {
			best, distance = candidate, d
		}
	}
	if best == "" || best == name {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}
