// SPDX-License-Identifier: Apache-2.0

package annotation

import (
	"github.com/agnivade/levenshtein"
)

// Nearest returns `; did you mean "…"?` with the name that was probably meant,
// or nothing where none is near: at most a third of it may differ. Of equally
// near names the first wins.
//
// Names longer than any valid one have none near: comparing takes the product of
// the lengths, and nobody has validated them yet.
func Nearest(name string, names []string) string {
	if len(name) > maxKey {
		return ""
	}
	best, distance := "", len(name)/3+1
	for _, candidate := range names {
		if d := len(candidate) - len(name); d > distance || -d > distance {
			continue
		}
		if d := levenshtein.ComputeDistance(name, candidate); d <= distance && (best == "" || d < distance) {
			best, distance = candidate, d
		}
	}
	if best == "" || best == name {
		return ""
	}
	return "; did you mean " + Quote(best) + "?"
}
