// SPDX-License-Identifier: Apache-2.0

// Package spelling guesses what somebody meant to write.
//
// It is pure, and must import no other package of this module.
package spelling

import (
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// maxName is the longest name there is: the key of an annotation, which is a domain,
// "/" and a name.
const maxName = 253 + 1 + 63

// Hint returns `; did you mean "…"?` with the name that was probably meant, or nothing
// where none is near.
func Hint(name string, names []string) string {
	best := Nearest(name, names)
	if best == "" || best == name {
		return ""
	}
	return "; did you mean " + strconv.QuoteToGraphic(best) + "?"
}

// Nearest returns the nearest name, or nothing where none is near: a third of it may
// differ and one letter more, since two are often swapped, but no more than half;
// upper and lower case apart. Of equally near names one with the same first letter
// wins, then the first.
// Names longer than any valid one have none near: comparing takes the product of the
// lengths, and nobody has validated them yet.
func Nearest(name string, names []string) string {
	if name == "" || len(name) > maxName {
		return ""
	}
	name = strings.ToLower(name)
	best, distance := "", len(name)/3+1
	for _, candidate := range names {
		if d := len(candidate) - len(name); candidate == "" || d > distance || -d > distance { // nobody has validated them either
			continue
		}
		d := levenshtein.ComputeDistance(name, strings.ToLower(candidate))
		if d > max(1, max(len(name), len(candidate))/2) {
			continue
		}
		if d < distance || d == distance && wins(name, candidate, best) {
			best, distance = candidate, d
		}
	}
	return best
}

// wins says whether of two equally near names, the second of which may be empty, the
// first is meant rather: one that begins like the name, which is in lower case.
func wins(name, candidate, best string) bool {
	return best == "" || strings.ToLower(candidate)[0] == name[0] && strings.ToLower(best)[0] != name[0]
}
