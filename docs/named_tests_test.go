// SPDX-License-Identifier: Apache-2.0

// Package docs holds what the documents say of the code to the code.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// named is a test as documents write it: `package.Function` or `package.Function/case`.
// Behind may be more cases, in parentheses. A case may be cut short by "…".
var (
	named  = regexp.MustCompile("`([a-z0-9]+(?:/[a-z0-9]+)*)\\.((?:Test|Fuzz|Benchmark)\\w+)(/[^`]+)?`")
	behind = regexp.MustCompile("^ \\((?:cases? )?`[^)]*\\)")
	quoted = regexp.MustCompile("`([^`]+)`")
)

// TestNamedTestsExist: whoever renames or drops a test finds the documents that name it.
func TestNamedTestsExist(t *testing.T) {
	documents, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := filepath.Glob("adr/*.md")
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string]*tests{}
	for _, document := range slices.Concat(documents, decisions, []string{"../README.md", "../CONTRIBUTING.md", "../SECURITY.md"}) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		found := named.FindAllStringSubmatchIndex(string(text), -1)
		for _, at := range found {
			match, more := named.FindStringSubmatch(string(text[at[0]:at[1]])), string(text[at[1]:])
			folder, function := match[1], match[2]
			if packages[folder] == nil {
				packages[folder] = read(t, filepath.Join("..", folder))
			}
			for _, c := range casesOf(match[3], more) {
				if problem := packages[folder].lack(function, c); problem != "" {
					t.Errorf("%s names `%s.%s%s`: %s", document, folder, function, c, problem)
				}
			}
		}
		if document == "failure-modes.md" && len(found) < 200 {
			t.Errorf("in %s only %d tests are recognised; the test proves little", document, len(found))
		}
	}
}

// casesOf are the cases of one test that are named, with its name or in the text behind
// it. The test itself is "".
func casesOf(with, more string) []string {
	cases := []string{with}
	for _, match := range quoted.FindAllStringSubmatch(behind.FindString(more), -1) {
		if !named.MatchString(match[0]) { // another one, by the way
			cases = append(cases, with+"/"+match[1])
		}
	}
	return cases
}

// tests are what the test files of a folder declare, by name.
type tests struct {
	folder string
	// functions are those without a receiver, all the others too: methods, variables,
	// constants and types.
	functions map[string]bool
	all       map[string][]ast.Node
}

func read(t *testing.T, folder string) *tests {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Errorf("%s has no tests (%v)", folder, err)
	}
	known := &tests{folder: folder, functions: map[string]bool{}, all: map[string][]ast.Node{}}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			known.declare(declaration)
		}
	}
	return known
}

func (k *tests) declare(declaration ast.Decl) {
	switch d := declaration.(type) {
	case *ast.FuncDecl:
		k.all[d.Name.Name] = append(k.all[d.Name.Name], d)
		if d.Recv == nil {
			k.functions[d.Name.Name] = true
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if values, ok := spec.(*ast.ValueSpec); ok {
				for _, name := range values.Names {
					k.all[name.Name] = append(k.all[name.Name], values)
				}
			}
		}
	}
}

// lack says what there is not, of a function and a case such as "/one/below it".
func (k *tests) lack(function, of string) string {
	if !k.functions[function] {
		return "there is no such test"
	}
	texts := k.texts(function)
	for _, part := range strings.Split(of, "/")[1:] {
		if !slices.ContainsFunc(texts, func(text string) bool { return isCase(part, text) }) && !k.isGolden(part) {
			return "nothing there is called " + strconv.Quote(part)
		}
	}
	return ""
}

// isCase says whether a text is the name of a case, of which "…" may leave out the
// beginning or the end.
func isCase(part, text string) bool {
	before, after, short := strings.Cut(part, "…")
	if !short {
		return text == part
	}
	return len(text) > len(before)+len(after) && strings.HasPrefix(text, before) && strings.HasSuffix(text, after)
}

// isGolden says whether a case is a folder of test data.
func (k *tests) isGolden(part string) bool {
	info, err := os.Stat(filepath.Join(k.folder, "testdata", part))
	return err == nil && info.IsDir()
}

// texts are the string literals of a function, and of all of the package's tests that it
// leads to.
func (k *tests) texts(function string) (texts []string) {
	seen := map[string]bool{function: true}
	for queue := []string{function}; len(queue) > 0; queue = queue[1:] {
		for _, declared := range k.all[queue[0]] {
			ast.Inspect(declared, func(node ast.Node) bool {
				switch n := node.(type) {
				case *ast.BasicLit:
					if text, err := strconv.Unquote(n.Value); err == nil {
						texts = append(texts, text)
					}
				case *ast.Ident:
					if !seen[n.Name] {
						seen[n.Name] = true
						queue = append(queue, n.Name)
					}
				}
				return true
			})
		}
	}
	return texts
}
