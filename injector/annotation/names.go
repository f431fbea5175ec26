// SPDX-License-Identifier: Apache-2.0

package annotation

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Names returns the credentials that annotations refer to, sorted, each once.
// Unlike Parse it passes over what is malformed: what somebody uses is found also
// where one item of a list or one option is wrong.
func Names(annotations map[string]string) []string {
	var names []string
	add := func(name string) {
		name = strings.TrimSpace(name)
		if len(validation.IsDNS1123Label(name)) == 0 {
			names = append(names, name)
		}
	}
	for key, value := range annotations {
		switch {
		case key == v1alpha1.AnnotationCredentials:
			for name := range strings.SplitSeq(value, ",") {
				add(name)
			}
		case key == v1alpha1.AnnotationEnv:
			for line := range strings.SplitSeq(value, "\n") {
				_, value, _ := strings.Cut(line, "=")
				add(referred(value, "/"))
			}
		case strings.HasPrefix(key, v1alpha1.AnnotationEnvPrefix):
			add(referred(value, "/"))
		case strings.HasPrefix(key, v1alpha1.AnnotationMountPrefix):
			add(referred(value, ":"))
		}
	}
	if len(names) == 0 || annotations[v1alpha1.AnnotationInject] == "false" {
		return nil
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// referred returns the credential in "<credential><separator>…[;<option>]…".
func referred(value, separator string) string {
	reference, _, _ := strings.Cut(value, ";")
	name, _, ok := strings.Cut(reference, separator)
	if !ok {
		return ""
	}
	return name
}
