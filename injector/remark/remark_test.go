// SPDX-License-Identifier: Apache-2.0

package remark_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/injector/remark"
)

func TestRecord(t *testing.T) {
	record := remark.Record{"b": {"env A", `mount /<a>"`}, "a": {"envFrom"}}
	if diff := cmp.Diff([]string{"a", "b"}, record.Names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(`{"a":["envFrom"],"b":["env A","mount /<a>\""]}`, record.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("{}", remark.Record(nil).String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPartsOfARecord(t *testing.T) {
	record := remark.Record{"a": {"env A", remark.PullSecret}, "b": {remark.AutomaticPullSecret}, "c": {"envFrom"}}
	want := remark.Record{"a": {remark.PullSecret}, "b": {remark.AutomaticPullSecret}}
	if diff := cmp.Diff(want, record.PullSecrets()); diff != "" {
		t.Errorf("pull secrets (-want +got):\n%s", diff)
	}
	want = remark.Record{"a": {"env A", remark.PullSecret}, "b": {"env B"}, "d": {"envFrom"}}
	if diff := cmp.Diff(want, remark.Record{"a": {"env A"}}.With(remark.Record{"a": {"env A", remark.PullSecret}, "b": {"env B"}, "d": {"envFrom"}})); diff != "" {
		t.Errorf("two together (-want +got):\n%s", diff)
	}
	if got := remark.Record(nil).With(nil); got != nil {
		t.Errorf("nothing and nothing is %v", got)
	}
}

// TestWarningsAreFew: at most five of 200 bytes, and how many there were besides.
func TestWarningsAreFew(t *testing.T) {
	var first, second, all remark.Warnings
	for i := range 7 {
		first.Add("%d%s", i, strings.Repeat("x", 300))
	}
	for range 3 {
		second.Add("again\nand again")
	}
	all.AddAll(&second)
	all.AddAll(&first)
	for name, test := range map[string]struct {
		of   *remark.Warnings
		want []string
	}{
		"more than five":      {&first, []string{"0x", "1x", "2x", "3x", "3 more warnings are left out"}},
		"one that comes anew": {&second, []string{"again and again"}},
		"of several":          {&all, []string{"again and again", "0x", "1x", "2x", "4 more warnings are left out"}},
		"none":                {&remark.Warnings{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, text := range test.of.List() {
				if len(text) > 200 {
					t.Errorf("one has %d bytes", len(text))
				}
				if strings.Contains(text, "xx") {
					text = text[:2]
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestReadWarnings: what others wrote in the place of ours is bounded, too.
func TestReadWarnings(t *testing.T) {
	long := fmt.Sprintf("%q", strings.Repeat("x", 300))
	for name, test := range map[string]struct {
		written string
		want    []int // lengths
	}{
		"ours":       {`["a", "bc"]`, []int{1, 2}},
		"too many":   {`["a", "b", "c", "d", "e", "f"]`, []int{1, 1, 1, 1, 1}},
		"too long":   {`[` + long + `]`, []int{200}},
		"not JSON":   {`a`, nil},
		"no strings": {`[1]`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int
			for _, text := range remark.ReadWarnings(map[string]string{"credence.dev/warnings": test.written}) {
				got = append(got, len(text))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
