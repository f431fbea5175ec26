// SPDX-License-Identifier: Apache-2.0

// Package guide reads pages of the documents, so that tests do what they show. Its own
// tests do so with the user guide, docs/guide: each manifest is applied, each command
// is run, and what is shown as output is held against what there is.
package guide

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Page is a page, or a part of one.
type Page struct {
	// Path is the page's file.
	Path string
	// Blocks are its fenced blocks, in their order.
	Blocks []Block
}

// Block is a fenced block.
type Block struct {
	// Language is the word behind the fence, such as "yaml".
	Language string
	Text     string
	// Line is the number of the fence's line.
	Line int
	// Headings are the lines of the headings that it is below, the widest first, with
	// their signs: "## Delete".
	Headings []string
	// Note is the comment on the line above the fence, if there is one: of
	// "<!-- not run: why -->" it is "not run: why".
	Note string
}

const fence = "```"

// Read reads a page.
func Read(path string) (Page, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Page{}, fmt.Errorf("reading a page: %w", err)
	}
	page := Page{Path: path}
	var headings []string
	var above string
	var open *Block
	for i, line := range strings.Split(string(text), "\n") {
		language, fenced := strings.CutPrefix(line, fence)
		switch {
		case open != nil && fenced:
			page.Blocks = append(page.Blocks, *open)
			open = nil
		case open != nil:
			open.Text += line + "\n"
		case fenced:
			open = &Block{Language: language, Line: i + 1, Headings: headings, Note: note(above)}
		case strings.HasPrefix(line, "#"):
			headings = below(headings, line)
		}
		above = line
	}
	if open != nil {
		return Page{}, fmt.Errorf("%s:%d: the block does not end", path, open.Line)
	}
	return page, nil
}

// note is the text of a line that is a comment.
func note(line string) string {
	text, ok := strings.CutPrefix(line, "<!--")
	if !ok {
		return ""
	}
	return strings.TrimSpace(strings.TrimSuffix(text, "-->"))
}

// below are the headings that what follows a heading is below.
func below(headings []string, heading string) []string {
	wider := slices.DeleteFunc(slices.Clone(headings), func(other string) bool { return level(other) >= level(heading) })
	return append(wider, heading)
}

func level(heading string) int { return strings.IndexByte(heading+" ", ' ') }

// Section is the part of a page below a heading such as "## Assets". Without such a
// heading it has no blocks.
func (p Page) Section(heading string) Page {
	section := Page{Path: p.Path}
	for _, block := range p.Blocks {
		if slices.Contains(block.Headings, heading) {
			section.Blocks = append(section.Blocks, block)
		}
	}
	return section
}

// Objects are those of all blocks of YAML.
func (p Page) Objects() ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, block := range p.Blocks {
		if block.Language != "yaml" {
			continue
		}
		objects, err := block.Objects()
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", p.Path, block.Line, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}

// Objects are those of a block of YAML. What has no kind, such as values of a chart, is
// none.
func (b Block) Objects() ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for document := range strings.SplitSeq("\n"+b.Text, "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict([]byte(document), &object.Object); err != nil {
			return nil, err
		}
		if object.GetKind() != "" {
			all = append(all, object)
		}
	}
	return all, nil
}
