// SPDX-License-Identifier: Apache-2.0

package annotation

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Referred is what annotations refer to by name. Lists are sorted and have no name
// twice.
type Referred struct {
	Credentials, DataSources []string
	// Environment and Template are empty if there is none.
	Environment, Template string
}

// Names returns what annotations refer to. Unlike Parse it passes over what is
// malformed: what somebody uses is found also where one item of a list or one option
// is wrong.
func Names(annotations map[string]string) (names Referred) {
	for key, value := range annotations {
		switch {
		case key == v1alpha1.AnnotationCredentials:
			names.Credentials = addList(names.Credentials, value)
		case key == v1alpha1.AnnotationDataSources:
			names.DataSources = addList(names.DataSources, value)
		case key == v1alpha1.AnnotationEnvironment:
			names.Environment = nameIn(value)
		case key == v1alpha1.AnnotationTemplate:
			names.Template = nameIn(value)
		case key == v1alpha1.AnnotationEnv:
			for line := range strings.SplitSeq(value, "\n") {
				_, value, _ := strings.Cut(line, "=")
				names.Credentials = addName(names.Credentials, referred(value, "/"))
			}
		case strings.HasPrefix(key, v1alpha1.AnnotationEnvPrefix):
			names.Credentials = addName(names.Credentials, referred(value, "/"))
		case strings.HasPrefix(key, v1alpha1.AnnotationMountPrefix):
			names.Credentials = addName(names.Credentials, referred(value, ":"))
		}
	}
	if annotations[v1alpha1.AnnotationInject] == "false" {
		return Referred{}
	}
	names.Credentials, names.DataSources = tidy(names.Credentials), tidy(names.DataSources)
	return names
}

func tidy(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

func addList(names []string, value string) []string {
	for name := range strings.SplitSeq(value, ",") {
		names = addName(names, name)
	}
	return names
}

func addName(names []string, written string) []string {
	if name := nameIn(written); name != "" {
		return append(names, name)
	}
	return names
}

// nameIn returns the name that somebody wrote, empty if it cannot be one.
func nameIn(written string) string {
	if name := strings.TrimSpace(written); len(validation.IsDNS1123Label(name)) == 0 {
		return name
	}
	return ""
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
