// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// Document is one document of a file.
type Document struct {
	// File is the name it was read under, Number counts from 1 within the file, Line
	// is where it begins.
	File   string
	Number int
	Line   int
	// Text is the document as written, without separators.
	Text []byte
	// JSON is the same as JSON; nil for a document with nothing but comments.
	JSON []byte
	// IsJSON says that it was written as JSON.
	IsJSON bool
}

// String says where a document stands, for errors.
func (d *Document) String() string {
	return fmt.Sprintf("%s, document %d (line %d)", d.File, d.Number, d.Line)
}

// StandardInput is the name under which standard input is asked for.
const StandardInput = "-"

// ReadFile reads the documents of a file, of standard input for "-", or of all
// manifests in a folder and below, in the order of their names.
func ReadFile(name string, standardInput io.Reader) ([]Document, error) {
	if name == StandardInput {
		text, err := io.ReadAll(standardInput)
		if err != nil {
			return nil, fmt.Errorf("reading standard input: %w", err)
		}
		return Read("standard input", text)
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		return Read(name, text)
	}
	var documents []Document
	err = filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isManifest(path) {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		more, err := Read(path, text)
		documents = append(documents, more...)
		return err
	})
	return documents, err
}

func isManifest(path string) bool {
	switch filepath.Ext(path) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// Read cuts a text into documents. The error names the file, the document and the
// line of what is malformed.
func Read(file string, text []byte) ([]Document, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // a byte order mark, as some editors leave
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && trimmed[0] == '{' {
		return readJSON(file, text)
	}
	var documents []Document
	for _, document := range splitYAML(text) {
		document.File, document.Number = file, len(documents)+1
		if err := document.parse(); err != nil {
			return nil, err
		}
		documents = append(documents, document)
	}
	return documents, nil
}

// splitYAML cuts at the lines that begin with "---". Comments before the first
// such line belong to the document behind it.
func splitYAML(text []byte) []Document {
	var documents []Document
	current := Document{Line: 1}
	line := 0
	for rest := text; len(rest) > 0; {
		line++
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			end = len(rest)
		}
		switch {
		case !isSeparator(rest[:end]):
			current.Text = append(current.Text[:len(current.Text):len(current.Text)], rest[:end]...)
		case len(documents) == 0 && !hasContent(current.Text) && len(current.Text) > 0:
			current.Text = append(current.Text, '\n') // in place of the separator, to keep the line numbers
		default:
			if line > 1 {
				documents = append(documents, current)
			}
			current = Document{Line: line + 1, Text: bytes.TrimLeft(rest[:end][3:], " \t\r\n")}
			if len(current.Text) > 0 { // "--- # comment" and "--- {…}" begin on the same line
				current.Line = line
			}
		}
		rest = rest[end:]
	}
	if len(bytes.TrimSpace(current.Text)) > 0 {
		documents = append(documents, current)
	}
	return documents
}

func isSeparator(line []byte) bool {
	return bytes.HasPrefix(line, []byte("---")) && (len(bytes.TrimSpace(line)) == 3 || line[3] == ' ' || line[3] == '\t')
}

func hasContent(text []byte) bool {
	for _, line := range bytes.Split(text, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return true
		}
	}
	return false
}

// parse fills in the JSON. Blank lines before the text make the parser's line
// numbers those of the file.
func (d *Document) parse() error {
	if !hasContent(d.Text) {
		return nil
	}
	padded := append(bytes.Repeat([]byte("\n"), d.Line-1), d.Text...)
	converted, err := yaml.YAMLToJSONStrict(padded)
	if err != nil {
		return fmt.Errorf("%s: %s", d, oneLine(err))
	}
	if converted = bytes.TrimSpace(converted); bytes.Equal(converted, []byte("null")) {
		return nil
	}
	if converted[0] != '{' {
		return fmt.Errorf("%s: not a Kubernetes object", d)
	}
	d.JSON = converted
	return nil
}

func oneLine(err error) string {
	text := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
	return strings.Join(strings.Fields(strings.TrimPrefix(text, "yaml: ")), " ")
}

// readJSON reads one object or several behind one another.
func readJSON(file string, text []byte) ([]Document, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	var documents []Document
	for {
		start := int(decoder.InputOffset())
		start += len(text[start:]) - len(bytes.TrimLeft(text[start:], " \t\r\n"))
		document := Document{File: file, Number: len(documents) + 1, Line: lineAt(text, start), IsJSON: true}
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			at := int(decoder.InputOffset())
			var syntax *json.SyntaxError
			if errors.As(err, &syntax) {
				at = start + int(syntax.Offset) - 1
				if len(documents) == 0 {
					at = int(syntax.Offset) - 1
				}
			}
			return nil, fmt.Errorf("%s: line %d: malformed JSON", &document, lineAt(text, at))
		}
		if raw[0] != '{' {
			return nil, fmt.Errorf("%s: not a Kubernetes object", &document)
		}
		document.Text, document.JSON = raw, raw
		documents = append(documents, document)
	}
}

func lineAt(text []byte, offset int) int {
	return 1 + bytes.Count(text[:max(0, min(offset, len(text)))], []byte("\n"))
}
