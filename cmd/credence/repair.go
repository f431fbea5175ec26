// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// repairCarry has the controller carry annotations of workloads to their pod templates
// where the webhook was not there to do it.
const repairCarry = "carry"

// repairEvict has pods replaced that admission did not inject into.
const repairEvict = "evict"

// allRepairs are what the controller can put right.
var allRepairs = []string{repairCarry, repairEvict}

// repairs are those that are asked for: the value of the flag --repair, a list with
// commas. It implements pflag.Value.
type repairs []string

func (r *repairs) add(flags *pflag.FlagSet) {
	flags.Var(r, "repair", "what to put right that is only told of otherwise, with commas between: "+strings.Join(allRepairs, ", "))
}

func (r repairs) has(name string) bool { return slices.Contains(r, name) }

// String implements pflag.Value.
func (r *repairs) String() string { return strings.Join(*r, ",") }

// Type implements pflag.Value.
func (r *repairs) Type() string { return "list" }

// Set implements pflag.Value. The flag may be repeated.
func (r *repairs) Set(list string) error {
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		switch {
		case name == "":
		case !slices.Contains(allRepairs, name):
			return fmt.Errorf("%q cannot be repaired; it is one of %s", name, strings.Join(allRepairs, ", "))
		case !r.has(name):
			*r = append(*r, name)
		}
	}
	return nil
}
