// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/credence-dev/credence/injector/workload"
)

// checkPaths says what is wrong with the paths of a kind by the schema of its
// definition, which must have the version.
func checkPaths(definition *apiextensionsv1.CustomResourceDefinition, kind *workload.Kind) error {
	i := slices.IndexFunc(definition.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool {
		return v.Name == kind.Versions[0]
	})
	if i < 0 || definition.Spec.Versions[i].Schema == nil || definition.Spec.Versions[i].Schema.OpenAPIV3Schema == nil {
		return nil // nothing can be said
	}
	for _, path := range kind.Paths {
		if err := checkPath(definition.Spec.Versions[i].Schema.OpenAPIV3Schema, "", path.Steps()); err != nil {
			return fmt.Errorf("path %s: %w", path, err)
		}
	}
	return nil
}

type props = apiextensionsv1.JSONSchemaProps

func preserves(s *props) bool { return s.XPreserveUnknownFields != nil && *s.XPreserveUnknownFields }

// checkPath follows the steps into a schema. What it says nothing of, but keeps, may be
// a pod template.
func checkPath(s *props, at string, steps []workload.Step) error {
	if len(steps) == 0 {
		return checkTemplate(s)
	}
	step, rest := steps[0], steps[1:]
	switch {
	case step.Field != "":
		return checkField(s, at, step.Field, rest)
	case step.Items:
		if s.Items != nil && s.Items.Schema != nil {
			return checkPath(s.Items.Schema, at+"[*]", rest)
		}
		if preserves(s) {
			return nil
		}
		return fmt.Errorf("there is no list at %s", at)
	}
	return checkValues(s, at, rest)
}

func checkField(s *props, at, name string, rest []workload.Step) error {
	if field, ok := s.Properties[name]; ok {
		return checkPath(&field, at+"."+name, rest)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		return checkPath(s.AdditionalProperties.Schema, at+"."+name, rest)
	}
	if preserves(s) {
		return nil
	}
	if at == "" {
		return fmt.Errorf("the kind has no field %s", name)
	}
	return fmt.Errorf("there is no field %s at %s", name, at)
}

// checkValues goes into the values of a map. One with fixed names may lead on by some
// of them.
func checkValues(s *props, at string, rest []workload.Step) error {
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		return checkPath(s.AdditionalProperties.Schema, at+".*", rest)
	}
	if preserves(s) || s.AdditionalProperties != nil && s.AdditionalProperties.Allows {
		return nil
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		field := s.Properties[name]
		err := checkPath(&field, at+"."+name, rest)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return errs[0]
	}
	return fmt.Errorf("there is no map at %s", at)
}

var (
	errNoTemplate    = errors.New("what is there is not a pod template: it has no spec.containers")
	errNoAnnotations = errors.New("the pod template there keeps no annotations: its schema must have metadata.annotations, or keep unknown fields of metadata")
)

// checkTemplate says whether a schema may be that of a pod template, and one that
// keeps its annotations: many are generated without the metadata of templates.
func checkTemplate(s *props) error {
	if !keeps(s, "spec", "containers") {
		return errNoTemplate
	}
	if !s.XEmbeddedResource && !keeps(s, "metadata", "annotations") {
		return errNoAnnotations
	}
	return nil
}

// keeps says whether what is at a path below a schema would be kept.
func keeps(s *props, names ...string) bool {
	for _, name := range names {
		field, ok := s.Properties[name]
		if !ok {
			return preserves(s)
		}
		s = &field
	}
	return true
}
