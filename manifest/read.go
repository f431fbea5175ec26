// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/go-json-experiment/json/jsontext"
	yaml3 "go.yaml.in/yaml/v3"
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
	// written is the document with the markers and directives around it; nil for one
	// of several objects of JSON. Those of a file make up the file.
	written []byte
	// separated says that there is a "---" among them.
	separated bool
}

// String says where a document stands, for errors.
func (d *Document) String() string { return d.at(d.Line) }

func (d *Document) at(line int) string {
	file := d.File
	if strings.ContainsFunc(file, unicode.IsControl) {
		file = strconv.Quote(file)
	}
	return fmt.Sprintf("%s, document %d (line %d)", file, d.Number, line)
}

// StandardInput is the name under which standard input is asked for.
const StandardInput = "-"

// ReadFile reads the documents of a file, of standard input for "-", or of all
// manifests in a folder and below, in the order of their names. A folder without any
// is an error.
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
	return readFolder(name)
}

// readFolder also follows a link to a folder, if that is what was named; those within
// it are not followed.
func readFolder(name string) ([]Document, error) {
	var documents []Document
	found := false
	err := filepath.WalkDir(name+string(filepath.Separator), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isManifest(path) {
			return err
		}
		found = true
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		more, err := Read(path, text)
		documents = append(documents, more...)
		return err
	})
	if err == nil && !found {
		return nil, fmt.Errorf("reading %s: there is no manifest in this folder; they end in .yaml, .yml or .json", name)
	}
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
// line of what is malformed, and nothing of the text: it may hold Secrets.
func Read(file string, text []byte) ([]Document, error) {
	var documents []Document
	for _, document := range splitYAML(toUTF8(text)) {
		document.File, document.Number = file, len(documents)+1
		more, err := document.read()
		if err != nil {
			return nil, err
		}
		documents = append(documents, more...)
	}
	return documents, nil
}

// toUTF8 removes a byte order mark, as some editors leave, and decodes the UTF-16
// that redirected output is on Windows.
func toUTF8(text []byte) []byte {
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case bytes.HasPrefix(text, []byte("\xff\xfe")):
	case bytes.HasPrefix(text, []byte("\xfe\xff")):
		order = binary.BigEndian
	default:
		return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	}
	units := make([]uint16, 0, len(text)/2)
	for text = text[2:]; len(text) > 1; text = text[2:] {
		units = append(units, order.Uint16(text))
	}
	return append([]byte(string(utf16.Decode(units))), text...) // an odd byte at the end is refused with the rest
}

// read reads what stands between two separators: a document of YAML, or objects
// of JSON behind one another. What begins like JSON may be YAML all the same.
func (d Document) read() ([]Document, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(d.Text), []byte("{")) {
		err := d.parse()
		return []Document{d}, d.placeYAMLError(err)
	}
	documents, err := d.readJSON()
	if err == nil {
		return documents, nil
	}
	switch asYAML := d.parse(); {
	case asYAML == nil:
		return []Document{d}, nil
	case isNotFinite(asYAML):
		return nil, d.placeYAMLError(asYAML)
	}
	return documents, err
}

// errNoObject is the error of a text, a number or a list.
var errNoObject = errors.New("not a Kubernetes object")

// parse fills in the JSON of a document of YAML.
func (d *Document) parse() error {
	converted, err := convert(d.Text)
	if err != nil {
		return err
	}
	switch converted = bytes.TrimSpace(converted); {
	case bytes.Equal(converted, []byte("null")):
		return nil
	case converted[0] != '{':
		return errNoObject
	}
	d.JSON = converted
	return nil
}

// placeYAMLError says where and what is wrong. Looking for the line takes much
// longer than reading.
func (d *Document) placeYAMLError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoObject):
		return fmt.Errorf("%s: %w", d, err)
	case isNotFinite(err):
		var document yaml3.Node
		_ = yaml3.Unmarshal(d.Text, &document) // another reader has read it
		return fmt.Errorf("%s: a number is infinite or not a number (.inf, .nan), which Kubernetes does not take; write another, or put it in quotes if it is text",
			d.at(d.Line-1+max(notFinite(&document), 1)))
	}
	return fmt.Errorf("%s: malformed YAML: %s", d.at(d.Line-1+faultyLine(d.Text, err)), wordYAMLError(err))
}

func (d *Document) readJSON() ([]Document, error) {
	decoder := jsontext.NewDecoder(bytes.NewBuffer(d.Text))
	var documents []Document
	line, counted := d.Line, 0
	lineAt := func(offset int) int { // of the file; asked for growing offsets
		offset = max(counted, min(offset, len(d.Text)))
		line += bytes.Count(d.Text[counted:offset], []byte("\n"))
		counted = offset
		return line
	}
	for {
		start := int(decoder.InputOffset())
		start += len(d.Text[start:]) - len(bytes.TrimLeft(d.Text[start:], " \t\r\n"))
		document := Document{File: d.File, Number: d.Number + len(documents), Line: lineAt(start), IsJSON: true}
		value, err := decoder.ReadValue()
		var malformed *jsontext.SyntacticError
		switch {
		case errors.Is(err, io.EOF):
			return documents, nil
		case errors.As(err, &malformed):
			problem := "malformed JSON"
			if errors.Is(err, jsontext.ErrDuplicateName) {
				problem = "a name stands twice in one object"
			}
			return nil, fmt.Errorf("%s: %s", document.at(lineAt(int(malformed.ByteOffset))), problem)
		case err != nil:
			return nil, fmt.Errorf("%s: %w", &document, err)
		case value.Kind() != '{':
			return nil, fmt.Errorf("%s: %w", &document, errNoObject)
		}
		document.Text = d.Text[start:decoder.InputOffset():decoder.InputOffset()]
		document.JSON = document.Text
		documents = append(documents, document)
	}
}
