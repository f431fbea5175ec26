// SPDX-License-Identifier: Apache-2.0

package own

import (
	"slices"

	"github.com/credence-dev/credence/credential/check"
	"github.com/credence-dev/credence/injector/annotation"
)

// maxFaults bounds how many faults are told of, which are refused for or warned
// about.
const maxFaults = 5

// Judge says for which faults an asset is refused, and of which its author is warned:
// those that may become right without him, for manifests are applied in any order.
// Faults that the asset had before, if it was there, are not looked at.
func Judge(before, now []check.Fault) (refusals []Refusal, warnings []string) {
	for i := range now {
		fault := &now[i]
		switch {
		case slices.ContainsFunc(before, func(old check.Fault) bool { return old.Reason == fault.Reason && old.Problem == fault.Problem }):
		case !fault.Waits && len(refusals) < maxFaults:
			refusals = append(refusals, Refusal{Field: fault.Field, Message: annotation.OneLine(fault.Error(), annotation.MaxProblem)})
		case fault.Waits && len(warnings) < maxFaults:
			warnings = append(warnings, annotation.OneLine(fault.Error(), maxWarning))
		}
	}
	return refusals, warnings
}
