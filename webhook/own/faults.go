// SPDX-License-Identifier: Apache-2.0

package own

import (
	"slices"

	"github.com/credence-dev/credence/credential/check"
	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/remark"
)

// maxFaults bounds how many faults a refusal tells of.
const maxFaults = 5

// Judge says for which faults an asset is refused, and of which its author is warned:
// those that may become right without him, for manifests are applied in any order.
// Faults that the asset had before, if it was there, are not looked at.
func Judge(before, now []check.Fault) (refusals []Refusal, warnings remark.Warnings) {
	for i := range now {
		fault := &now[i]
		switch {
		case slices.ContainsFunc(before, func(old check.Fault) bool { return old.Reason == fault.Reason && old.Problem == fault.Problem }):
		case fault.Waits:
			warnings.Add("%s", fault.Error())
		case len(refusals) < maxFaults:
			refusals = append(refusals, Refusal{Field: fault.Field, Message: annotation.OneLine(fault.Error(), annotation.MaxProblem)})
		}
	}
	return refusals, warnings
}
