// SPDX-License-Identifier: Apache-2.0

package annotation

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// Nearest returns `; did you mean "…"?` with the name that was probably meant,
// or nothing where none is near: at most a third of it may differ, upper and lower
// case apart. Of equally near names the first wins.
func Nearest(name string, names []string) string {
	best := nearest(name, names)
	if best == "" || best == name {
		return ""
	}
	return didYouMean(best)
}

func didYouMean(name string) string { return "; did you mean " + Quote(name) + "?" }

// nearest returns the nearest name, if one is near. Names longer than any valid
// one have none near: comparing takes the product of the lengths, and nobody has
// validated them yet.
func nearest(name string, names []string) string {
	if name == "" || len(name) > maxKey {
		return ""
	}
	name = strings.ToLower(name)
	best, distance := "", len(name)/3+1
	for _, candidate := range names {
		if d := len(candidate) - len(name); d > distance || -d > distance {
			continue
		}
		if d := levenshtein.ComputeDistance(name, strings.ToLower(candidate)); d <= distance && (best == "" || d < distance) {
			best, distance = candidate, d
		}
	}
	return best
}
