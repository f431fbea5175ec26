// SPDX-License-Identifier: Apache-2.0

// Package words says of many things, and of long texts, what somebody can still read.
//
// It is pure, and must import no other package of this module.
package words

import (
	"fmt"
	"strings"
)

// Few names the first of some things, as they print themselves, and says how many more
// there are: "a, b and 3 more".
func Few[thing any](all []thing, most int) string {
	named := all[:min(len(all), most)]
	names := make([]string, 0, len(named))
	for _, one := range named {
		names = append(names, fmt.Sprint(one))
	}
	text := strings.Join(names, ", ")
	if more := len(all) - len(named); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// Plural says how many there are of something.
func Plural(count int, what string) string {
	if count != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", count, what)
}

// EventNote is how many bytes the note of an event may have. The API server refuses
// longer ones, and nobody would hear of that.
const EventNote = 1024

// Cut shortens a text to a number of bytes, and shows where it ends.
func Cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit-len("…")], "") + "…"
}
