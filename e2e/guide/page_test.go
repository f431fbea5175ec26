// SPDX-License-Identifier: Apache-2.0

package guide

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const example = `# Page

~~~yaml
kind: A
---
kind: B
~~~

## One

### Below

<!-- not run: why -->
~~~sh
true
~~~

## Two

~~~yaml
value: no object
~~~
`

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(example, "~~~", fence)), 0o600); err != nil {
		t.Fatal(err)
	}
	page, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []Block{
		{Language: "yaml", Text: "kind: A\n---\nkind: B\n", Line: 3, Headings: []string{"# Page"}},
		{Language: "sh", Text: "true\n", Line: 14, Headings: []string{"# Page", "## One", "### Below"}, Note: "not run: why"},
		{Language: "yaml", Text: "value: no object\n", Line: 20, Headings: []string{"# Page", "## Two"}},
	}
	if diff := cmp.Diff(want, page.Blocks); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[1:2], page.Section("## One").Blocks); diff != "" {
		t.Errorf("section (-want +got):\n%s", diff)
	}
	if blocks := page.Section("## Three").Blocks; len(blocks) > 0 {
		t.Errorf("a section that is not there has %v", blocks)
	}
	objects, err := page.Objects()
	if err != nil || len(objects) != 2 || objects[1].GetKind() != "B" {
		t.Errorf("the objects are %v, %v", objects, err)
	}
	if err := os.WriteFile(path, []byte(fence+"yaml\na: b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "does not end") {
		t.Errorf("a block without an end: %v", err)
	}
}
