// SPDX-License-Identifier: Apache-2.0

package guide

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/credence-dev/credence/e2e/local"
)

// ownCluster are pages that tell of a cluster with other settings, those of their first
// block.
var ownCluster = []string{"run-ai.md"}

// TestGuide does what the pages say, in the order in which the guide lists them.
func TestGuide(t *testing.T) {
	if err := serveOthers(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
	runPods(t, cluster)
	reader := newReader(t, cluster)
	for _, name := range listed(t) {
		if slices.Contains(ownCluster, name) {
			continue
		}
		if !t.Run(name, func(t *testing.T) {
			r := *reader
			r.T = t
			r.reads(read(t, name))
		}) {
			t.Fatal("what follows builds on it")
		}
	}
	t.Run("in the text", func(t *testing.T) {
		r := *reader
		r.T = t
		for _, name := range listed(t) {
			r.mentions(name)
		}
	})
}

// TestMovingIn does what is said of clusters that have projects and Secrets already.
func TestMovingIn(t *testing.T) {
	for _, name := range ownCluster {
		page := read(t, name)
		var values struct {
			SystemNamespace struct{ Name string }
			Labels          struct{ Project string }
		}
		own := options
		own.Plane.Dir, own.Plane.Audit = t.TempDir(), nil
		own.Values = map[string]any{}
		for _, into := range []any{&values, &own.Values} {
			if err := yaml.Unmarshal([]byte(page.Blocks[0].Text), into); err != nil {
				t.Fatal(err)
			}
		}
		own.Args = []string{"--system-namespace=" + values.SystemNamespace.Name, "--project-label=" + values.Labels.Project}
		started, err := local.Start(t.Context(), own)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := started.Stop(); err != nil {
				t.Error(err)
			}
		})
		r := newReader(t, started)
		if err := r.shell(nil, "kubectl create namespace "+values.SystemNamespace.Name, "", ""); err != nil {
			t.Fatal(err)
		}
		r.reads(page)
	}
}

// command is one in the text: not of a page's block, but complete.
var command = regexp.MustCompile("`((?:kubectl|credence) [^`]+)`")

// mentions runs the commands in the text of a page: those of kubectl, unless they read a
// file, and the help of ours.
func (r *reader) mentions(name string) {
	r.Helper()
	text, err := os.ReadFile(filepath.Join(pages, name))
	if err != nil {
		r.Fatal(err)
	}
	for _, match := range command.FindAllStringSubmatch(string(text), -1) {
		line := match[1]
		switch {
		case strings.HasPrefix(line, "credence "):
			line += " --help"
		case strings.Contains(line, " -f "):
			continue
		}
		if err := r.shell(nil, line, "", ""); err != nil {
			r.Errorf("%s: %s: %v", name, match[1], err)
		}
	}
}

var row = regexp.MustCompile(`(?m)^\| \[[^]]+\]\(([a-z-]+\.md)\)`)

// listed are the pages in the order of the table of contents.
func listed(t *testing.T) (names []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(pages, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range row.FindAllStringSubmatch(string(text), -1) {
		names = append(names, match[1])
	}
	return names
}

func read(t *testing.T, name string) Page {
	t.Helper()
	page, err := Read(filepath.Join(pages, name))
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// TestAllPagesAreListed: a page that the table of contents does not have would not be
// found, nor tested.
func TestAllPagesAreListed(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(pages, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, file := range files {
		there[filepath.Base(file)] = true
	}
	delete(there, "README.md")
	if want, got := slices.Sorted(maps.Keys(there)), slices.Sorted(slices.Values(listed(t))); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("listed are %v, and there are %v", got, want)
	}
}
