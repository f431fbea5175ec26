// SPDX-License-Identifier: Apache-2.0

package words

import (
	"testing"
	"unicode/utf8"
)

// shouted prints itself.
type shouted string

func (s shouted) String() string { return string(s) + "!" }

func TestFew(t *testing.T) {
	for want, all := range map[string][]shouted{
		"":                  {},
		"a!":                {"a"},
		"a!, b!":            {"a", "b"},
		"a!, b! and 1 more": {"a", "b", "c"},
		"a!, b! and 3 more": {"a", "b", "c", "d", "e"},
	} {
		if got := Few(all, 2); got != want {
			t.Errorf("of %v it says %q, want %q", all, got, want)
		}
	}
}

func TestPlural(t *testing.T) {
	for count, want := range map[int]string{0: "0 pods", 1: "1 pod", 2: "2 pods"} {
		if got := Plural(count, "pod"); got != want {
			t.Errorf("of %d it says %q, want %q", count, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for text, want := range map[string]string{
		"":             "",
		"ten bytes.":   "ten bytes.",
		"eleven byte":  "eleven …",
		"sixsixé more": "sixsix…", // not half a letter
	} {
		got := Cut(text, 10)
		if got != want || len(got) > 10 || !utf8.ValidString(got) {
			t.Errorf("of %q is left %q, want %q", text, got, want)
		}
	}
}
