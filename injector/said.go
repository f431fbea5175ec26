// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/annotation"
)

// said is what is written on a pod of what its author is warned of: nothing on one
// that nobody controls, whose author is told by the answer, and nothing where it
// stands there already. A pod that was injected once may have less to say the second
// time, and what was said stays.
func (p *plan) said() string {
	if p.request.Prefix != "" || len(p.warnings.list) == 0 {
		return ""
	}
	metadata := &p.request.Pod.Metadata
	if _, controlled := metadata.Controller(); !controlled {
		return ""
	}
	now := p.warnings.all()
	if isPart(now, Warnings(metadata.Annotations)) {
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

// Warnings returns what the author of a pod was warned of when it was injected, as it
// stands in its annotation: at most five facts of one line and 200 characters, whoever
// wrote it. There are none where it is not ours.
func Warnings(annotations map[string]string) []string {
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
		list[i] = annotation.OneLine(list[i], maxWarningLength)
	}
	return list
}
