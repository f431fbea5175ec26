// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/spf13/pflag"
)

func TestRepairFlag(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
		fail bool
	}{
		"default":     {nil, "", false},
		"one":         {[]string{"--repair=carry"}, "carry", false},
		"blanks":      {[]string{"--repair= carry , carry"}, "carry", false},
		"repeated":    {[]string{"--repair=carry", "--repair=carry"}, "carry", false},
		"empty":       {[]string{"--repair="}, "", false},
		"unknown":     {[]string{"--repair=carry,everything"}, "", true},
		"in capitals": {[]string{"--repair=Carry"}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			var r repairs
			flags := pflag.NewFlagSet("", pflag.ContinueOnError)
			r.add(flags)
			err := flags.Parse(test.args)
			if (err != nil) != test.fail || err == nil && r.String() != test.want {
				t.Errorf("got %q, %v", r.String(), err)
			}
			if r.has(repairCarry) != (r.String() == "carry") {
				t.Errorf("carries: %t", r.has(repairCarry))
			}
		})
	}
}
