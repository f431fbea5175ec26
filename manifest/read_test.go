// SPDX-License-Identifier: Apache-2.0

package manifest_test

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/manifest"
)

// read is what a test wants of a document.
type read struct {
	Number, Line int
	Text, JSON   string
	IsJSON       bool
}

func utf16Of(order binary.AppendByteOrder, text string) string {
	var encoded []byte
	for _, unit := range utf16.Encode([]rune("\ufeff" + text)) {
		encoded = order.AppendUint16(encoded, unit)
	}
	return string(encoded)
}

func TestRead(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []read
	}{
		"nothing":               {text: ""},
		"blank lines":           {text: "\n \n\r\n"},
		"separators only":       {text: "---\n---\n---\n"},
		"one":                   {text: "a: b\n", want: []read{{1, 1, "a: b\n", `{"a":"b"}`, false}}},
		"no line break":         {text: "a: b", want: []read{{1, 1, "a: b", `{"a":"b"}`, false}}},
		"byte order mark":       {text: "\ufeffa: b\n", want: []read{{1, 1, "a: b\n", `{"a":"b"}`, false}}},
		"UTF-16":                {text: utf16Of(binary.LittleEndian, "a: é\n---\nc: \U0001F600\n"), want: []read{{1, 1, "a: é\n", `{"a":"é"}`, false}, {2, 3, "c: \U0001F600\n", `{"c":"😀"}`, false}}},
		"UTF-16, big":           {text: utf16Of(binary.BigEndian, "{\"a\": 1}\n"), want: []read{{1, 1, `{"a": 1}`, `{"a": 1}`, true}}},
		"UTF-16, nothing":       {text: "\xff\xfe"},
		"separator first":       {text: "---\na: b\n", want: []read{{1, 2, "a: b\n", `{"a":"b"}`, false}}},
		"blank, then separator": {text: "\n---\na: b\n", want: []read{{1, 1, "\n\na: b\n", `{"a":"b"}`, false}}},
		"comment, then separator": {text: "# c\n---\na: b\n---\nc: d\n", want: []read{
			{1, 1, "# c\n\na: b\n", `{"a":"b"}`, false}, {2, 5, "c: d\n", `{"c":"d"}`, false},
		}},
		"comment on separator": {text: "a: b\n--- # c\nc: d\n", want: []read{
			{1, 1, "a: b\n", `{"a":"b"}`, false}, {2, 2, "# c\nc: d\n", `{"c":"d"}`, false},
		}},
		"content on separator": {text: "--- {a: b}\n---\tc: d\n", want: []read{
			{1, 1, "{a: b}\n", `{"a":"b"}`, false}, {2, 2, "c: d\n", `{"c":"d"}`, false},
		}},
		"carriage returns": {text: "a: b\r\n---\r\nc: d\r\n", want: []read{
			{1, 1, "a: b\r\n", `{"a":"b"}`, false}, {2, 3, "c: d\r\n", `{"c":"d"}`, false},
		}},
		"comments only, in between": {text: "a: b\n---\n# c\n---\nc: d\n", want: []read{
			{1, 1, "a: b\n", `{"a":"b"}`, false}, {2, 3, "# c\n", "", false}, {3, 5, "c: d\n", `{"c":"d"}`, false},
		}},
		"empty, in between": {text: "a: b\n---\n---\nc: d\n---\n", want: []read{
			{1, 1, "a: b\n", `{"a":"b"}`, false}, {2, 3, "", "", false}, {3, 4, "c: d\n", `{"c":"d"}`, false},
		}},
		"null":                    {text: "a: b\n---\nnull\n", want: []read{{1, 1, "a: b\n", `{"a":"b"}`, false}, {2, 3, "null\n", "", false}}},
		"end of document":         {text: "a: b\n...\nc: d\n", want: []read{{1, 1, "a: b\n", `{"a":"b"}`, false}, {2, 3, "c: d\n", `{"c":"d"}`, false}}},
		"end, separator":          {text: "a: b\n...\n\n---\nc: d\n...\n", want: []read{{1, 1, "a: b\n", `{"a":"b"}`, false}, {2, 3, "\n\nc: d\n", `{"c":"d"}`, false}}},
		"end at the start":        {text: "...\na: b\n", want: []read{{1, 1, "\na: b\n", `{"a":"b"}`, false}}},
		"directive":               {text: "%YAML 1.2\n---\na: b\n...\n%YAML 1.1\n---\nc: d\n", want: []read{{1, 1, "\n\na: b\n", `{"a":"b"}`, false}, {2, 5, "\n\nc: d\n", `{"c":"d"}`, false}}},
		"separator within a word": {text: "a: b\n---c: d\n---- : e\n", want: []read{{1, 1, "a: b\n---c: d\n---- : e\n", `{"----":"e","---c":"d","a":"b"}`, false}}},
		"separator within a text": {text: "a: |\n  ---\n  ...\n", want: []read{{1, 1, "a: |\n  ---\n  ...\n", `{"a":"---\n...\n"}`, false}}},
		"json":                    {text: "\n {\"a\": [1.0, 1e2]}", want: []read{{1, 2, `{"a": [1.0, 1e2]}`, `{"a": [1.0, 1e2]}`, true}}},
		"json behind one another": {text: "{\"a\": 1}{\n\"b\": 2}\n\n{\"c\": 3}\n", want: []read{
			{1, 1, `{"a": 1}`, `{"a": 1}`, true}, {2, 1, "{\n\"b\": 2}", "{\n\"b\": 2}", true}, {3, 4, `{"c": 3}`, `{"c": 3}`, true},
		}},
		"json and separators": {text: "{\"a\": 1}\n---\n{\"b\": 2}\n{\"c\": 3}\n---\nd: 4\n", want: []read{
			{1, 1, `{"a": 1}`, `{"a": 1}`, true}, {2, 3, `{"b": 2}`, `{"b": 2}`, true}, {3, 4, `{"c": 3}`, `{"c": 3}`, true}, {4, 6, "d: 4\n", `{"d":4}`, false},
		}},
		"like json, and yaml": {text: "{a: b} # c\n", want: []read{{1, 1, "{a: b} # c\n", `{"a":"b"}`, false}}},
		"merged":              {text: "a: &a {b: c, d: e}\nf: {<<: *a, d: g}\n", want: []read{{1, 1, "a: &a {b: c, d: e}\nf: {<<: *a, d: g}\n", `{"a":{"b":"c","d":"e"},"f":{"b":"c","d":"g"}}`, false}}},
	} {
		t.Run(name, func(t *testing.T) {
			documents, err := manifest.Read("file.yaml", []byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []read
			for _, d := range documents {
				if d.File != "file.yaml" {
					t.Errorf("file %q", d.File)
				}
				got = append(got, read{d.Number, d.Line, string(d.Text), string(d.JSON), d.IsJSON})
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestReadErrors holds that what is malformed is named by file, document and
// line, the line of the file, and that nothing of the text is repeated: it may be
// a password.
func TestReadErrors(t *testing.T) {
	const (
		first     = "a: b\n---\n# comment\n---\n" // the next document begins in line 5
		notFinite = "a number is infinite or not a number (.inf, .nan), which Kubernetes does not take; write another, or put it in quotes if it is text"
	)
	for name, test := range map[string]struct{ text, want string }{
		"no mapping":             {"- canary\n", "document 1 (line 1): not a Kubernetes object"},
		"text":                   {first + "canary\n", "document 3 (line 5): not a Kubernetes object"},
		"colon":                  {"a: canary: c\n", "document 1 (line 1): malformed YAML: mapping values are not allowed in this context"},
		"colon later":            {first + "a: b\nc: canary: e\n", "document 3 (line 6): malformed YAML: mapping values are not allowed in this context"},
		"indentation":            {first + "a:\n  b: c\n canary: e\n", "document 3 (line 7): malformed YAML: did not find expected key"},
		"item in a mapping":      {"a: b\n- canary\n", "document 1 (line 2): malformed YAML: did not find expected key"},
		"tab":                    {"a:\n\tcanary: c\n", "document 1 (line 2): malformed YAML: found character that cannot start any token"},
		"quote that never ends":  {first + "a: b\nc: \"canary\nd: e\nf: g\n", "document 3 (line 6): malformed YAML: found unexpected end of stream"},
		"list that never ends":   {"a: b\nc: [canary,\n  d\ne: f\n", "document 1 (line 2): malformed YAML: did not find expected ',' or ']'"},
		"after a long list":      {"a: [\n" + strings.Repeat("  b,\n", 12) + "]\nc: 'd\n", "document 1 (line 15): malformed YAML: found unexpected end of stream"},
		"no colon":               {"a: b\ncanary\nc: d\n", "document 1 (line 2): malformed YAML: could not find expected ':'"},
		"key twice":              {first + "a:\n  canary: c\n  canary: d\n", "document 3 (line 7): malformed YAML: a key stands twice in one mapping"},
		"alias":                  {first + "a: b\nc: *canary\n", "document 3 (line 6): malformed YAML: an alias (*) of something that has no anchor (&)"},
		"null key":               {"a: b\n~: canary\n", "document 1 (line 2): malformed YAML: a key is neither text, a number nor a boolean"},
		"mapping as key":         {"a: b\n{c: canary}: d\n", "document 1 (line 2): malformed YAML: a key is neither text, a number nor a boolean"},
		"tag":                    {"a: b\nc: !!int canary\n", "document 1 (line 2): malformed YAML: a value does not fit its tag (!!)"},
		"binary":                 {"a: !!binary canary!\n", "document 1 (line 1): malformed YAML: a value does not fit its tag (!!)"},
		"infinity":               {first + "a: b\nc:\n- 1\n- .inf\n", "document 3 (line 8): " + notFinite},
		"infinity below zero":    {"a: b\nc: {d: 1,\n  e: -.INF}\n", "document 1 (line 3): " + notFinite},
		"no number":              {"a: b\nc: &canary .NaN\nd: *canary\n", "document 1 (line 2): " + notFinite},
		"no number, like JSON":   {"{a: b,\n  c: .nan}\n", "document 1 (line 2): " + notFinite},
		"anchor within itself":   {"a: &canary [*canary]\n", "document 1 (line 1): malformed YAML: it cannot be read"},
		"control character":      {first + "a: b\nc: canary\x01\n", "document 3 (line 6): malformed YAML: control characters are not allowed"},
		"UTF-16, odd":            {"\xff\xfea\x00:\x00 \x00b\x00\xff", "document 1 (line 1): malformed YAML: invalid leading UTF-8 octet"},
		"not UTF-8":              {"a: b\nc: canary\xff\n", "document 1 (line 2): malformed YAML: invalid leading UTF-8 octet"},
		"something behind":       {"'a'\n'canary'\n", "document 1 (line 2): malformed YAML: did not find expected <document start>"},
		"json cut short":         {"{\"a\": 1}\n{\n\"canary\": 2", "document 2 (line 3): malformed JSON"},
		"json comma":             {"{\"a\": 1}\n{\n\"b\": \"canary\",,\n\"c\": 3}", "document 2 (line 3): malformed JSON"},
		"json after a separator": {first + "{\n\"a\": \"canary\n}", "document 3 (line 6): malformed JSON"},
		"json name twice":        {first + "{\"canary\": 1,\n\"canary\": 2}", "document 3 (line 6): a name stands twice in one object"},
		"json array":             {"{\"a\": 1} [\"canary\"]", "document 2 (line 1): not a Kubernetes object"},
		"json text":              {"{\"a\": 1}\n\"canary\"", "document 2 (line 2): not a Kubernetes object"},
	} {
		t.Run(name, func(t *testing.T) {
			documents, err := manifest.Read("file.yaml", []byte(test.text))
			if err == nil {
				t.Fatalf("reads it: %+v", documents)
			}
			if diff := cmp.Diff("file.yaml, "+test.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestReadLarge reads what would take hours, were lines compared with those before
// them.
func TestReadLarge(t *testing.T) {
	const lines = 100_000
	line := "    " + strings.Repeat("text ", 20) + "\n"
	for name, test := range map[string]struct {
		text string
		want int
	}{
		"one document":   {"kind: ConfigMap\ndata:\n  text: |\n" + strings.Repeat(line, lines), 1},
		"comments":       {strings.Repeat("#"+line, lines) + "kind: Pod\n", 1},
		"only comments":  {strings.Repeat("#"+line, lines), 1},
		"blank lines":    {strings.Repeat("\n", 20*lines) + "kind: Pod\n", 1},
		"separators":     {"a: b\n" + strings.Repeat("---\n# c\n", lines) + "kind: Pod\n", lines + 1},
		"JSON":           {strings.Repeat("{\"kind\": \n\"Pod\"}\n", lines), lines},
		"JSON, indented": {"{\"kind\": \"ConfigMap\",\n\"data\": [\n" + strings.Repeat("\"text\",\n", lines) + "\"text\"]}", 1},
	} {
		t.Run(name, func(t *testing.T) {
			documents, err := manifest.Read("file", []byte(test.text))
			if err != nil || len(documents) != test.want {
				t.Fatalf("%d documents, error %v", len(documents), err)
			}
			if last := &documents[len(documents)-1]; last.Line+strings.Count(string(last.Text), "\n") > strings.Count(test.text, "\n")+1 {
				t.Errorf("the last document begins in line %d", last.Line)
			}
		})
	}
}

// TestReadLargeErrors holds that the line is found in what is large, and is not looked
// for longer than reading takes many times over.
func TestReadLargeErrors(t *testing.T) {
	const lines = 20_000
	for name, test := range map[string]struct{ text, want string }{
		"the last line":  {strings.Repeat("# c\n", lines) + "a: 'b\n", "document 1 (line 20001): malformed YAML: found unexpected end of stream"},
		"the first line": {"a: b: c\n" + strings.Repeat("d: e\n", lines), "document 1 (line 1): malformed YAML: mapping values are not allowed in this context"},
		"after long lists": {"a:\n" + strings.Repeat("- ["+strings.Repeat("b,\n", 49)+"c]\n", lines/50) + "d: e: f\n",
			"document 1 (line 20002): malformed YAML: mapping values are not allowed in this context"},
		"JSON": {strings.Repeat("{\"a\":\n1}\n", lines) + "{,}", "document 20001 (line 40001): malformed JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := manifest.Read("file", []byte(test.text))
			if err == nil {
				t.Fatal("reads it")
			}
			if diff := cmp.Diff("file, "+test.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestReadOddName holds that no file's name moves a terminal's cursor.
func TestReadOddName(t *testing.T) {
	_, err := manifest.Read("a\x1b[31m.yaml", []byte("["))
	if want := `"a\x1b[31m.yaml", document 1 (line 1): malformed YAML: did not find expected node content`; err == nil || err.Error() != want {
		t.Errorf("got error %v", err)
	}
}

func TestReadFile(t *testing.T) {
	folder := t.TempDir()
	for _, file := range []string{"b.yaml", "a.yml", "sub/c.json", "sub/d.txt", "sub/.e.yaml"} {
		path := filepath.Join(folder, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("{\"file\": \""+file+"\"}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("["), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(folder, link); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, "README.md"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		file  string
		stdin io.Reader
		want  []string
		err   string
	}{
		"file":           {file: filepath.Join(folder, "sub", "d.txt"), want: []string{`{"file": "sub/d.txt"}`}},
		"folder":         {file: folder, want: []string{`{"file": "a.yml"}`, `{"file": "b.yaml"}`, `{"file": "sub/.e.yaml"}`, `{"file": "sub/c.json"}`}},
		"link":           {file: link, want: []string{`{"file": "a.yml"}`, `{"file": "b.yaml"}`, `{"file": "sub/.e.yaml"}`, `{"file": "sub/c.json"}`}},
		"no manifests":   {file: empty, err: "reading " + empty + ": there is no manifest in this folder; they end in .yaml, .yml or .json"},
		"standard input": {file: "-", stdin: strings.NewReader(`{"a": 1}`), want: []string{`{"a": 1}`}},
		"nothing there":  {file: filepath.Join(folder, "no-such"), err: "stat " + filepath.Join(folder, "no-such") + ": no such file or directory"},
		"bad file":       {file: bad, err: bad + ", document 1 (line 1): malformed YAML: did not find expected node content"},
		"bad folder":     {file: filepath.Dir(bad), err: bad + ", document 1 (line 1): malformed YAML: did not find expected node content"},
		"bad input":      {file: "-", stdin: iotest.ErrReader(errors.New("broken")), err: "reading standard input: broken"},
	} {
		t.Run(name, func(t *testing.T) {
			documents, err := manifest.ReadFile(test.file, test.stdin)
			if err != nil || test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Fatalf("got error %v, want %s", err, test.err)
				}
				return
			}
			var got []string
			for _, document := range documents {
				got = append(got, string(document.Text))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
