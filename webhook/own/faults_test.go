// SPDX-License-Identifier: Apache-2.0

package own_test

import (
	"fmt"
	"testing"

	"github.com/credence-dev/credence/credential/check"
	"github.com/credence-dev/credence/webhook/own"
)

// TestJudgeTellsOfAFew: of many faults that an asset did not have before, five are told
// of, and how many more may become right without its author.
func TestJudgeTellsOfAFew(t *testing.T) {
	var before, now []check.Fault
	for i := range 8 {
		wrong := check.Fault{Reason: "Wrong", Field: "spec.env", Problem: fmt.Sprintf("%d is wrong", i)}
		waits := check.Fault{Reason: "Missing", Field: "spec.env", Problem: fmt.Sprintf("%d is missing", i), Waits: true}
		now = append(now, wrong, waits)
		if i == 0 {
			before = append(before, wrong, waits)
		}
	}
	refusals, warnings := own.Judge(before, now)
	if len(refusals) != 5 || refusals[0].Field != "spec.env" {
		t.Errorf("it is refused for %v", refusals)
	}
	if list := warnings.List(); len(list) != 5 || list[0] != "spec.env: 1 is missing" || list[4] != "3 more warnings are left out" {
		t.Errorf("the warnings are %q", list)
	}
	if refusals, warnings := own.Judge(now, now); len(refusals)+len(warnings.List()) > 0 {
		t.Errorf("what was there before is told of: %v, %q", refusals, warnings.List())
	}
}
