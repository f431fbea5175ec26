// SPDX-License-Identifier: Apache-2.0

package manifest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gomodules.xyz/jsonpatch/v2"

	"github.com/credence-dev/credence/manifest"
)

// written patches a text of one document and writes it.
func written(t *testing.T, text string, format manifest.Format, operations ...jsonpatch.Operation) string {
	t.Helper()
	documents, err := manifest.Read("file", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	injected := make([]manifest.Injected, len(documents))
	for i := range documents {
		injected[i] = manifest.Injected{Document: documents[i]}
	}
	injected[0].Operations = operations
	var out bytes.Buffer
	if err := manifest.Write(&out, injected, format); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func add(path string, value any) jsonpatch.Operation {
	return jsonpatch.NewOperation("add", path, value)
}

func remove(path string) jsonpatch.Operation {
	return jsonpatch.Operation{Operation: "remove", Path: path}
}

func TestWriteYAML(t *testing.T) {
	for name, test := range map[string]struct {
		text       string
		operations []jsonpatch.Operation
		want       string
	}{
		"unchanged":                {text: "# c\nb:   1e3 # d\n\na: 'x'", want: "# c\nb:   1e3 # d\n\na: 'x'"},
		"unchanged, no line break": {text: "a: |\n  b", want: "a: |\n  b"},
		"unchanged, several":       {text: "a: b\n---\n# c\n---\nd: e", want: "a: b\n---\n# c\n---\nd: e"},
		"unchanged, markers":       {text: "%YAML 1.2\n# c\n---  # d\na: b\n...\n# e\n---\n\n---\r\nf: g\n---\n", want: "%YAML 1.2\n# c\n---  # d\na: b\n...\n# e\n---\n\n---\r\nf: g\n---\n"},
		"unchanged behind another": {text: "---\na: 1\n...\n# c\nd: e\n---\n\nf: g", operations: []jsonpatch.Operation{add("/b", 2)}, want: "---\na: 1\nb: 2\n---\n# c\nd: e\n---\n\nf: g"},
		"directive behind another": {text: "a: 1\n...\n%YAML 1.2\n---\nc: d\n", operations: []jsonpatch.Operation{add("/b", 2)}, want: "a: 1\nb: 2\n---\n\n\nc: d\n"},
		"comments and order":       {text: "# c\nb: 1e3 # d\n# e\na: 'x' # f\n# g\n", operations: []jsonpatch.Operation{add("/z", 1)}, want: "# c\nb: 1e3 # d\n# e\na: 'x' # f\n# g\n\nz: 1\n"},
		"numbers to the letter":    {text: "a: [0777, 0o17, 1_000, 1e400, 0x1F, 1.50, 12345678901234567890123, yes, ~]\n", operations: []jsonpatch.Operation{add("/z", 1)}, want: "a: [0777, 0o17, 1_000, 1e400, 0x1F, 1.50, 12345678901234567890123, yes, ~]\nz: 1\n"},
		"member of a null":         {text: "a: # c\nb: 1\n", operations: []jsonpatch.Operation{add("/a", []any{1})}, want: "a: # c\n- 1\nb: 1\n"},
		"item of an empty list":    {text: "a: [] # c\n", operations: []jsonpatch.Operation{add("/a/-", "x")}, want: "a:\n# c\n- x\n"},
		"member of an empty map":   {text: "a: {}\n", operations: []jsonpatch.Operation{add("/a/b~1c~0d", "x")}, want: "a:\n  b/c~d: x\n"},
		"item first":               {text: "a:\n- 2 # two\n", operations: []jsonpatch.Operation{add("/a/0", 1)}, want: "a:\n- 1\n- 2 # two\n"},
		"item last":                {text: "a:\n- 1 # one\n", operations: []jsonpatch.Operation{add("/a/-", 2)}, want: "a:\n- 1 # one\n- 2\n"},
		"items as they are":        {text: "a:\n  - 1\n", operations: []jsonpatch.Operation{add("/a/-", 2), add("/b", []any{3})}, want: "a:\n  - 1\n  - 2\nb:\n  - 3\n"},
		"in an item":               {text: "a:\n- b: 1\n", operations: []jsonpatch.Operation{add("/a/0/c", map[string]any{"d": []any{}})}, want: "a:\n- b: 1\n  c:\n    d: []\n"},
		"in flow":                  {text: "a: {b: [1]}\n", operations: []jsonpatch.Operation{add("/a/b/-", map[string]any{"c": "d, e"}), add("/a/f", []any{})}, want: "a: {b: [1, {c: 'd, e'}], f: []}\n"},
		"in place":                 {text: "a: 1 # one\nb: 2\n", operations: []jsonpatch.Operation{add("/a", "x")}, want: "a: x # one\nb: 2\n"},
		"removed":                  {text: "a: 1\nb: 2 # two\nc: 3\n", operations: []jsonpatch.Operation{remove("/b")}, want: "a: 1\nc: 3\n"},
		"carriage returns":         {text: "a: 1\r\nb: 2\r\n", operations: []jsonpatch.Operation{add("/c", 3)}, want: "a: 1\r\nb: 2\r\nc: 3\r\n"},
		"carriage returns, more":   {text: "# a\r\n# b\r\na: 1 # c\r\n# d\r\nb: 2\r\n# e\r\n", operations: []jsonpatch.Operation{add("/a", 3)}, want: "# a\r\n# b\r\na: 3 # c\r\n# d\r\nb: 2\r\n# e\r\n"},
		"carriage returns in part": {text: "a: 1\r\nb: 2\n", operations: []jsonpatch.Operation{add("/c", 3)}, want: "a: 1\nb: 2\nc: 3\n"},
		"carriage returns in text": {text: "---\r\na: |\r\n  b\r\n\r\n  c\r\n", operations: []jsonpatch.Operation{add("/d", "e\nf")}, want: "---\r\na: |\r\n  b\r\n\r\n  c\r\nd: |-\r\n  e\r\n  f\r\n"},
		"texts that need quotes":   {text: "{}\n", operations: []jsonpatch.Operation{add("/a", []any{"yes", "No", "on", "y", "0777", "0o7", "1_0", "1e3", "null", "~", "", " ", "a: b", "# c", "- d", "2026-01-01", "<<", "=", "1:20", "a\tb", "é", "\x01", "{e}", "*f", "&g", "!h", "@i", "`j", "%k", "'", `"`, "true", ".5", "0x1", "-"})}, want: quoted},
		"texts of several lines":   {text: "{}\n", operations: []jsonpatch.Operation{add("/a", []any{"a\nb\n", "a\nb", " a\nb\n", "a\n\n", "\na", "a \nb", "\n", "a\r\nb\n", "\t\nb\n"})}, want: severalLines},
		"anchors":                  {text: "a: &x\n  b: 1 # c\nd: *x\n", operations: []jsonpatch.Operation{add("/a/e", 2)}, want: "a:\n  b: 1\n  e: 2\nd:\n  b: 1\n"},
		"json":                     {text: `{"b": 1.50, "a": ["yes", 1e400, {"c": {}, "d": []}]}`, operations: []jsonpatch.Operation{add("/z", true)}, want: "b: 1.50\na:\n- \"yes\"\n- 1e400\n- c: {}\n  d: []\nz: true\n"},
		"json unchanged":           {text: `{"a": "\ud83d\ude00\/\u007f"}{"b": null}`, want: "a: \"\\U0001F600/\\x7F\"\n---\nb: null\n"},
		"keys of any kind":         {text: "1: a\ntrue: b\nc: d\n", operations: []jsonpatch.Operation{add("/c", "e")}, want: "1: a\ntrue: b\nc: e\n"},
		"key of more than 128":     {text: "a: {}\n", operations: []jsonpatch.Operation{add("/a/"+strings.Repeat("k", 200), "v")}, want: "a:\n  ? " + strings.Repeat("k", 200) + "\n  : v\n"},
		"comment behind the list":  {text: "a:\n- 1\n# behind\nb: 2\n", operations: []jsonpatch.Operation{add("/a/-", 2)}, want: "a:\n- 1\n- 2\n# behind\nb: 2\n"},
		"comment before the first": {text: "a:\n# before\n- 1\n", operations: []jsonpatch.Operation{add("/a/0", 0)}, want: "a:\n- 0\n# before\n- 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, written(t, test.text, manifest.YAML, test.operations...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

const quoted = "a:\n- \"yes\"\n- \"No\"\n- \"on\"\n- \"y\"\n- \"0777\"\n- \"0o7\"\n- \"1_0\"\n- \"1e3\"\n- \"null\"\n- \"~\"\n- \"\"\n- \" \"\n" +
	"- \"a: b\"\n- \"# c\"\n- \"- d\"\n- \"2026-01-01\"\n- \"<<\"\n- \"=\"\n- \"1:20\"\n- \"a\\tb\"\n- é\n- \"\\x01\"\n- \"{e}\"\n- \"*f\"\n- \"&g\"\n" +
	"- \"!h\"\n- \"@i\"\n- \"`j\"\n- \"%k\"\n- \"'\"\n- '\"'\n- \"true\"\n- \".5\"\n- \"0x1\"\n- \"-\"\n"

const severalLines = "a:\n- |\n  a\n  b\n- |-\n  a\n  b\n- \" a\\nb\\n\"\n- |+\n  a\n\n- \"\\na\"\n- \"a \\nb\"\n- \"\\n\"\n- \"a\\r\\nb\\n\"\n- \"\\t\\nb\\n\"\n"

// TestWriteFiles holds that files are kept apart where they are written as they are.
func TestWriteFiles(t *testing.T) {
	for name, test := range map[string]struct {
		files []string
		want  string
	}{
		"separators":            {[]string{"a: b\n", "---\nc: d\n", "e: f\n"}, "a: b\n---\nc: d\n---\ne: f\n"},
		"no line breaks":        {[]string{"a: b", "c: d"}, "a: b\n---\nc: d\n"},
		"a text at the end":     {[]string{"a: |\n  b", "c: d"}, "a: |-\n  b\n---\nc: d\n"},
		"comments":              {[]string{"a: b\n", "# c\n---\nd: e\n"}, "a: b\n---\n# c\n\nd: e\n"},
		"directives":            {[]string{"%YAML 1.2\n---\na: b\n", "%YAML 1.2\n---\nc: d\n"}, "%YAML 1.2\n---\na: b\n---\n\n\nc: d\n"},
		"a directive after all": {[]string{"a: b\n...\n", "%YAML 1.2\n---\nc: d\n"}, "a: b\n...\n---\n\n\nc: d\n"},
		"JSON":                  {[]string{"{\"a\": 1}", "b: 2\n"}, "a: 1\n---\nb: 2\n"},
		"nothing":               {[]string{"", "---\n", "a: b"}, "a: b"},
	} {
		t.Run(name, func(t *testing.T) {
			var injected []manifest.Injected
			for i, text := range test.files {
				documents, err := manifest.Read(fmt.Sprint("file ", i), []byte(text))
				if err != nil {
					t.Fatal(err)
				}
				for _, document := range documents {
					injected = append(injected, manifest.Injected{Document: document})
				}
			}
			var out bytes.Buffer
			if err := manifest.Write(&out, injected, manifest.YAML); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriteOthers(t *testing.T) {
	const two = "# c\nb: 1\na: [\"<&>\"]\n---\n# nothing\n---\nc: 1e2\n"
	for name, test := range map[string]struct {
		text       string
		format     manifest.Format
		operations []jsonpatch.Operation
		want       string
	}{
		"json":               {text: two, format: manifest.JSON, operations: []jsonpatch.Operation{add("/d", "é")}, want: "{\n  \"a\": [\n    \"<&>\"\n  ],\n  \"b\": 1,\n  \"d\": \"é\"\n}\n{\n  \"c\": 100\n}\n"},
		"json of json":       {text: `{"b": 1.50, "a": "\u003c"}`, format: manifest.JSON, want: "{\n  \"b\": 1.50,\n  \"a\": \"\\u003c\"\n}\n"},
		"patch":              {text: two, format: manifest.Patch, operations: []jsonpatch.Operation{add("/d", "<"), remove("/b")}, want: `[{"op":"add","path":"/d","value":"<"},{"op":"remove","path":"/b"}]` + "\n"},
		"patch of unchanged": {text: two, format: manifest.Patch, want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, written(t, test.text, test.format, test.operations...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestWriteErrors(t *testing.T) {
	document := manifest.Document{File: "f", Number: 2, Line: 3, Text: []byte("a: 1\n"), JSON: []byte(`{"a":1}`)}
	for name, test := range map[string]struct {
		format     manifest.Format
		operations []jsonpatch.Operation
		want       string
	}{
		"unknown format":       {format: "xml", want: `f, document 2 (line 3): format "xml" is unknown (formats: yaml, json, patch)`},
		"broken writer":        {format: manifest.YAML, want: "writing the output: broken"},
		"patch does not apply": {format: manifest.JSON, operations: []jsonpatch.Operation{remove("/b")}, want: `f, document 2 (line 3): applying the patch: error in remove for path: '/b': unable to remove nonexistent key: b: missing value`},
		"patch of a channel":   {format: manifest.Patch, operations: []jsonpatch.Operation{add("/b", make(chan int))}, want: "f, document 2 (line 3): operation 0 at /b: "},
	} {
		t.Run(name, func(t *testing.T) {
			err := manifest.Write(brokenWriter{}, []manifest.Injected{{Document: document, Operations: test.operations}}, test.format)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got error %v", err)
			}
		})
	}
}

// TestWriteReadsBack holds that texts with a meaning of their own in YAML are
// read as what they are.
func TestWriteReadsBack(t *testing.T) {
	texts := []any{"yes", "a\nb\n", "\n", " a\n b\n", "", "\u2028", "\u0085", "\ufeff", "a\u0000b", "\u00a0x", "x:", ":x", "?", "a #b", "'\"", "\\", "...", "---", "--- a\n...\n", "\t", "a\t\n", "~", "0b1", "1.", "+1", "0.0.0", "12e03", "!!str", "\U0001F600"}
	text, err := json.Marshal(map[string]any{"texts": texts, "keys": map[string]any{"yes": 1, "a\nb": 2, "": 3, "<<": 4, "0777": 5, "~": 6, "? a": 7, "=": 8}})
	if err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]string{
		"from json": written(t, string(text), manifest.YAML),
		"added":     written(t, "a: b\n", manifest.YAML, add("/texts", texts)),
	} {
		t.Run(name, func(t *testing.T) {
			documents, err := manifest.Read("out", []byte(out))
			if err != nil {
				t.Fatalf("%v:\n%s", err, out)
			}
			var got struct {
				Texts []any
				Keys  map[string]any
			}
			if err := json.Unmarshal(documents[0].JSON, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(texts, got.Texts); diff != "" {
				t.Errorf("(-want +got):\n%s\n%s", diff, out)
			}
			if name == "from json" && len(got.Keys) != 8 {
				t.Errorf("keys: %v", got.Keys)
			}
		})
	}
}
