// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestEveryBoundHolds finds strings and lists without a bound, and goes to each
// bound and one beyond it, in a document that has every field.
func TestEveryBoundHolds(t *testing.T) {
	server := newAPIServer(t, "credentials")
	full := readDocuments(t, "testdata/valid/everything.yaml")[0]
	errorsWith := func(path fieldPath, value any) []string {
		changed := full.DeepCopy()
		path.set(t, changed.Object, value)
		if path[0] == "status" {
			return server.updateStatus(t.Context(), withoutStatus(changed), changed)
		}
		return server.create(t.Context(), changed)
	}
	strs, lists := bounded(t, server.structural)
	for path, bound := range strs {
		tooLong := path + ": Too long"
		// A letter of two bytes: bounds count characters.
		if got := errorsWith(parsePath(path), strings.Repeat("é", bound)); hasPrefixed(got, tooLong) {
			t.Errorf("%s refuses as many characters as it may have: %q", path, got)
		}
		if got := errorsWith(parsePath(path), strings.Repeat("é", bound+1)); !hasPrefixed(got, tooLong) {
			t.Errorf("%s takes more characters than it may have: %q", path, got)
		}
	}
	for path, list := range lists {
		bound := int(*list.ValueValidation.MaxItems)
		if got := errorsWith(parsePath(path), items(list, bound)); len(got) > 0 {
			t.Errorf("%s refuses as many items as it may have: %q", path, got)
		}
		if got := errorsWith(parsePath(path), items(list, bound+1)); !hasPrefixed(got, path+": Too many") {
			t.Errorf("%s takes more items than it may have: %q", path, got)
		}
	}
	if len(strs) < 15 || len(lists) < 8 {
		t.Errorf("found only %d strings and %d lists", len(strs), len(lists))
	}
}

// bounded returns the bounds of strings and the lists below spec and status, by
// path. What the set of possible values bounds needs no other bound.
func bounded(t *testing.T, root *schema.Structural) (strs map[string]int, lists map[string]*schema.Structural) {
	t.Helper()
	strs, lists = map[string]int{}, map[string]*schema.Structural{}
	var walk func(path string, s schema.Structural)
	walk = func(path string, s schema.Structural) {
		bounds := s.ValueValidation
		if bounds == nil {
			bounds = &schema.ValueValidation{}
		}
		switch {
		case s.Type == "string" && bounds.MaxLength != nil:
			strs[path] = int(*bounds.MaxLength)
		case s.Type == "string" && len(bounds.Enum) == 0 && bounds.Format == "":
			t.Errorf("%s is a string without a bound", path)
		case s.Type == "array" && bounds.MaxItems == nil:
			t.Errorf("%s is a list without a bound", path)
		case s.Type == "array":
			lists[path] = &s
			walk(path+"[0]", *s.Items)
		}
		for name, property := range s.Properties {
			walk(path+"."+name, property)
		}
	}
	walk("spec", root.Properties["spec"])
	walk("status", root.Properties["status"])
	return strs, lists
}

// items makes as many items as asked for, no two alike, of a list's schema.
func items(s *schema.Structural, n int) []any {
	list := make([]any, n)
	for i := range list {
		if s.Items.Type == "string" {
			list[i] = fmt.Sprintf("item-%d", i)
			continue
		}
		object := map[string]any{}
		for _, name := range s.Items.ValueValidation.Required {
			object[name] = fmt.Sprintf("Item%d", i)
		}
		if _, isCondition := object["lastTransitionTime"]; isCondition {
			object["lastTransitionTime"], object["status"] = "2026-06-30T00:00:00Z", "True"
		}
		list[i] = object
	}
	return list
}

// TestConstantsFitSchema holds the bounds and words that Go code goes by against
// those that the API server goes by.
func TestConstantsFitSchema(t *testing.T) {
	root := newAPIServer(t, "credentials").structural
	spec, status := root.Properties["spec"], root.Properties["status"]

	limits := map[string]int{}
	for name, property := range status.Properties {
		if property.Type == "array" {
			limits[name] = int(*property.ValueValidation.MaxItems)
		}
	}
	usedBy := status.Properties["usedBy"]
	limits["usedBy.names"] = int(*usedBy.Properties["names"].ValueValidation.MaxItems)
	wantLimits := map[string]int{
		"conditions":        8,
		"issues":            v1alpha1.MaxStatusIssues,
		"keys":              v1alpha1.MaxStatusKeys,
		"pendingNamespaces": v1alpha1.MaxStatusNamespaces,
		"registries":        v1alpha1.MaxStatusRegistries,
		"takenNamespaces":   v1alpha1.MaxStatusNamespaces,
		"usedBy.names":      v1alpha1.MaxStatusUsers,
	}
	if diff := cmp.Diff(wantLimits, limits); diff != "" {
		t.Errorf("bounds of lists in the status (-Go +schema):\n%s", diff)
	}

	scope := spec.Properties["scope"]
	words := map[string][]string{
		"type":        enum(spec.Properties["type"]),
		"scope.level": enum(scope.Properties["level"]),
		"propagation": enum(spec.Properties["propagation"]),
		"state":       enum(status.Properties["state"]),
	}
	wantWords := map[string][]string{
		"type":        texts(v1alpha1.DockerRegistry, v1alpha1.AccessKey, v1alpha1.Password, v1alpha1.SSHKey, v1alpha1.Generic),
		"scope.level": texts(v1alpha1.ScopeCluster, v1alpha1.ScopeDepartment, v1alpha1.ScopeProject),
		"propagation": texts(v1alpha1.PropagateAlways, v1alpha1.PropagateOnDemand),
		"state":       texts(v1alpha1.StateCreating, v1alpha1.StateNoIssuesFound, v1alpha1.StateIssuesFound, v1alpha1.StateDeleting),
	}
	if diff := cmp.Diff(wantWords, words); diff != "" {
		t.Errorf("enums (-Go +schema):\n%s", diff)
	}
}

func enum(s schema.Structural) []string {
	words := make([]string, len(s.ValueValidation.Enum))
	for i, word := range s.ValueValidation.Enum {
		words[i] = word.Object.(string)
	}
	return words
}

func texts[T ~string](words ...T) []string {
	list := make([]string, len(words))
	for i, word := range words {
		list[i] = string(word)
	}
	return list
}

// fieldPath leads to a value in a document: names and indexes.
type fieldPath []any

// parsePath reads a path as field errors write it: "spec.injection.env[0].name".
func parsePath(text string) fieldPath {
	var path fieldPath
	for step := range strings.SplitSeq(strings.ReplaceAll(text, "[0]", ".0"), ".") {
		if step == "0" {
			path = append(path, 0)
		} else {
			path = append(path, step)
		}
	}
	return path
}

func (p fieldPath) set(t *testing.T, document map[string]any, value any) {
	t.Helper()
	var at any = document
	for i, step := range p {
		isLast := i == len(p)-1
		switch step := step.(type) {
		case string:
			parent, ok := at.(map[string]any)
			if !ok {
				t.Fatalf("testdata/valid/everything.yaml has no %v", p[:i])
			}
			if isLast {
				parent[step] = value
			}
			at = parent[step]
		case int:
			parent, ok := at.([]any)
			if !ok || len(parent) <= step {
				t.Fatalf("testdata/valid/everything.yaml has no %v", p[:i+1])
			}
			if isLast {
				parent[step] = value
			}
			at = parent[step]
		}
	}
}

func hasPrefixed(messages []string, prefix string) bool {
	return slices.ContainsFunc(messages, func(m string) bool { return strings.HasPrefix(m, prefix) })
}
