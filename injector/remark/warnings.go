// SPDX-License-Identifier: Apache-2.0

package remark

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/annotation"
)

// Bounds of what a client is shown. The API server cuts longer warnings itself,
// in the middle of a word.
const (
	maxWarnings = 5
	maxWarning  = 200 // bytes of one
)

// Warnings collects facts that an author should know: at most five of one line and 200
// bytes. The zero value is empty.
type Warnings struct {
	list []string
	more int
}

// Add takes in a fact, once.
func (w *Warnings) Add(format string, args ...any) { w.add(fmt.Sprintf(format, args...)) }

func (w *Warnings) add(text string) {
	text = annotation.OneLine(text, maxWarning)
	switch {
	case slices.Contains(w.list, text):
	case len(w.list) < maxWarnings:
		w.list = append(w.list, text)
	default:
		w.more++
	}
}

// AddAll takes in what others collected, and how much they had to leave out.
func (w *Warnings) AddAll(others *Warnings) {
	for _, text := range others.list {
		w.add(text)
	}
	w.more += others.more
}

// leftOut is the end of what is said where there is more than can be.
const leftOut = " more warnings are left out"

// List returns the warnings; the last says how many were left out.
func (w *Warnings) List() []string {
	if w.more > 0 {
		list := slices.Clone(w.list)
		list[len(list)-1] = fmt.Sprintf("%d%s", w.more+1, leftOut)
		return list
	}
	return w.list
}

// Text is what is written of the warnings on a pod that has annotations already:
// nothing where it stands there. A pod that was injected once may have less to say the
// second time, and what was said stays.
func (w *Warnings) Text(annotations map[string]string) string {
	if len(w.list) == 0 {
		return ""
	}
	now := w.List()
	if isPart(now, ReadWarnings(annotations)) {
		return ""
	}
	text, err := json.Marshal(now)
	if err != nil { // a name in a document that nobody has validated: there is invalid UTF-8 in it
		return ""
	}
	return string(text)
}

// isPart says whether something was said before. What was left out then may be said
// now.
func isPart(now, before []string) bool {
	last := len(before) - 1
	if last >= 0 && strings.HasSuffix(before[last], leftOut) {
		return true
	}
	return !slices.ContainsFunc(now, func(warning string) bool { return !slices.Contains(before, warning) })
}

// ReadWarnings returns what the author of a pod was warned of when it was injected, as
// it stands in its annotation: at most five facts of one line and 200 bytes, whoever
// wrote it. There are none where it is not ours.
func ReadWarnings(annotations map[string]string) []string {
	text, ok := annotations[v1alpha1.AnnotationWarnings]
	if !ok {
		return nil
	}
	var list []string
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil
	}
	list = list[:min(len(list), maxWarnings)]
	for i := range list {
		list[i] = annotation.OneLine(list[i], maxWarning)
	}
	return list
}
