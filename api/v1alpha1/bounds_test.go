// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// full are the documents that have every field of a kind, each or all together.
var full = map[string]string{
	"Credential": "everything", "Environment": "environment-everything", "DataSource": "datasource-everything",
	"WorkloadTemplate": "template-everything", "WorkloadKind": "workloadkind-everything",
}

// TestEveryBoundHolds finds strings and lists without a bound, and goes to each
// bound and one beyond it, in a document that has the field.
func TestEveryBoundHolds(t *testing.T) {
	for kind, server := range newAPIServers(t) {
		t.Run(kind, func(t *testing.T) {
			documents := readDocuments(t, "testdata/valid/"+full[kind]+".yaml")
			errorsWith := func(path fieldPath, value any) []string {
				changed := path.in(t, documents).DeepCopy()
				path.set(t, changed.Object, value)
				if path[0] == "status" {
					return server.updateStatus(t.Context(), withoutStatus(changed), changed)
				}
				return server.create(t.Context(), changed)
			}
			everyBoundHolds(t, server, errorsWith)
		})
	}
}

func everyBoundHolds(t *testing.T, server *apiServer, errorsWith func(fieldPath, any) []string) {
	t.Helper()
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
	if len(strs) < 6 || len(lists) < 2 {
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
			if len(s.XValidations) > 0 { // of paths
				list[i] = fmt.Sprintf(".item-%d", i)
			}
			continue
		}
		object := map[string]any{}
		for _, name := range s.Items.ValueValidation.Required {
			object[name] = fmt.Sprintf("Item%d", i)
		}
		if _, isMount := object["mountPath"]; isMount {
			object["mountPath"], object["credential"] = fmt.Sprintf("/item-%d", i), "openai"
		}
		if _, hasValue := s.Items.Properties["value"]; hasValue {
			object["value"] = ""
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

// in returns the first document that has the value.
func (p fieldPath) in(t *testing.T, documents []*unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	for _, document := range documents {
		if p.isIn(document.Object) {
			return document
		}
	}
	t.Fatalf("none of the documents has %v", p)
	return nil
}

// isIn says whether there is something that has, or could have, the value.
func (p fieldPath) isIn(at any) bool {
	for _, step := range p[:len(p)-1] {
		switch step := step.(type) {
		case string:
			parent, _ := at.(map[string]any)
			at = parent[step]
		case int:
			parent, ok := at.([]any)
			if !ok || len(parent) <= step {
				return false
			}
			at = parent[step]
		}
	}
	return at != nil
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
				t.Fatalf("the document has no %v", p[:i])
			}
			if isLast {
				parent[step] = value
			}
			at = parent[step]
		case int:
			parent, ok := at.([]any)
			if !ok || len(parent) <= step {
				t.Fatalf("the document has no %v", p[:i+1])
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
