// SPDX-License-Identifier: Apache-2.0

package guide

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link      = regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	title     = regexp.MustCompile(`(?m)^#+ (.*)$`)
	dropped   = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	value     = regexp.MustCompile("`([a-z][A-Za-z]+(?:[.][A-Za-z]+)+)`")
	reason    = regexp.MustCompile("`([A-Z][A-Za-z]+)`")
	constants = "../../api/v1alpha1/conditions.go"
)

// TestLinks: each link leads to a page that there is, and to a heading of it.
func TestLinks(t *testing.T) {
	for _, name := range append(listed(t), "README.md") {
		text, err := os.ReadFile(filepath.Join(pages, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			target := filepath.Join(pages, name)
			if match[1] != "" {
				target = filepath.Join(pages, match[1])
			}
			to, err := os.ReadFile(target)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if match[2] != "" && !slices.Contains(anchors(string(to)), match[2]) {
				t.Errorf("%s: there is no %s in %s", name, match[2], match[1])
			}
		}
	}
}

// anchors are the fragments of a page's headings.
func anchors(text string) (all []string) {
	for _, match := range title.FindAllStringSubmatch(text, -1) {
		words := dropped.ReplaceAllString(strings.ToLower(match[1]), "")
		all = append(all, "#"+strings.ReplaceAll(words, " ", "-"))
	}
	return all
}

// TestReasonsAreExplained: whoever reads a reason of the condition Ready, or of an issue,
// finds it among the troubles.
func TestReasonsAreExplained(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(pages, "troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	var explained []string
	for _, match := range reason.FindAllStringSubmatch(string(text), -1) {
		explained = append(explained, match[1])
	}
	file, err := parser.ParseFile(token.NewFileSet(), constants, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Of users and of expiry the overview and the page of rotation tell.
	elsewhere := []string{"Used", "NotUsed", "UsageUnknown", "ExpiresSoon", "Expired", "NotExpiring"}
	found := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Reason") && !strings.HasPrefix(spec.Names[0].Name, "Issue") {
			return true
		}
		found++
		value := strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)
		if !slices.Contains(explained, value) && !slices.Contains(elsewhere, value) {
			t.Errorf("%s is not explained", value)
		}
		return true
	})
	if found < 30 {
		t.Errorf("only %d reasons were found; the test proves little", found)
	}
}

// TestValuesExist: what looks like a value of the chart is one, by the chart's schema.
func TestValuesExist(t *testing.T) {
	text, err := os.ReadFile("../../charts/credence/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type schema struct{ Properties map[string]json.RawMessage }
	of := func(text []byte) (s schema) {
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	found := 0
	for _, name := range listed(t) {
		page, err := os.ReadFile(filepath.Join(pages, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range value.FindAllStringSubmatch(string(page), -1) {
			parts := strings.Split(match[1], ".")
			if _, ok := of(text).Properties[parts[0]]; !ok || match[1] == "rotation.restart" { // a field of a Credential
				continue
			}
			found++
			at := json.RawMessage(text)
			for _, part := range parts {
				at = of(at).Properties[part]
				if at == nil {
					t.Errorf("%s: the chart has no value %s", name, match[1])
					break
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d values were found; the test proves little", found)
	}
}
