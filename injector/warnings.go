// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"fmt"
	"slices"

	"github.com/credence-dev/credence/injector/annotation"
)

// Bounds of what a client is shown. The API server cuts longer warnings itself,
// in the middle of a word.
const (
	maxWarnings      = 5
	maxWarningLength = 200
)

// warnings collects facts that the author of a pod should know.
type warnings struct {
	list []string
	more int
}

func (w *warnings) add(format string, args ...any) {
	text := annotation.OneLine(fmt.Sprintf(format, args...), maxWarningLength)
	switch {
	case slices.Contains(w.list, text):
	case len(w.list) < maxWarnings:
		w.list = append(w.list, text)
	default:
		w.more++
	}
}

// leftOut is the end of what is said where there is more than can be.
const leftOut = " more warnings are left out"

// all returns the warnings; the last says how many were left out.
func (w *warnings) all() []string {
	if w.more > 0 {
		list := slices.Clone(w.list)
		list[maxWarnings-1] = fmt.Sprintf("%d%s", w.more+1, leftOut)
		return list
	}
	return w.list
}
