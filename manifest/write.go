// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/credence-dev/credence/injector/patch"
)

// Format is how documents are written.
type Format string

// The formats.
const (
	// YAML keeps documents as they were written where nothing changes, and the
	// comments and the order of the others.
	YAML Format = "yaml"
	// JSON writes one indented object for each document.
	JSON Format = "json"
	// Patch writes one JSON array of operations for each changed document.
	Patch Format = "patch"
)

// Write writes documents in a format.
func Write(w io.Writer, documents []Injected, format Format) error {
	out := writer{Writer: w}
	for i := range documents {
		var err error
		if format == YAML {
			err = out.yaml(&documents[i], i == len(documents)-1)
		} else {
			err = out.other(&documents[i], format)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writer writes documents behind one another.
type writer struct {
	io.Writer
	// last is the document before, if it was written as it was read; nil if not, or
	// if nothing was written.
	last *Document
	any  bool
}

// yaml writes documents of a file that do not change as they were read, with all
// that is around them. A separator of ours stands only where there was none.
func (w *writer) yaml(d *Injected, isLast bool) error {
	contiguous := !w.any || bytes.HasPrefix(d.written, []byte("---")) || w.last.isBefore(&d.Document)
	if contiguous && d.staysAs(d.written, isLast) {
		w.last = &d.Document
		if isLast {
			return w.write(d.written, "")
		}
		return w.write(endLine(d.written), "")
	}
	w.last = nil
	text, err := d.asYAML()
	if err != nil {
		return fmt.Errorf("%s: %w", &d.Document, err)
	}
	text = endLine(text)
	switch {
	case !w.any && !d.separated:
		return w.write(text, "")
	case bytes.HasSuffix(text, []byte("\r\n")):
		return w.write(text, "---\r\n")
	}
	return w.write(text, "---\n")
}

func (w *writer) other(d *Injected, format Format) error {
	text, err := d.in(format)
	if err != nil {
		return fmt.Errorf("%s: %w", &d.Document, err)
	}
	return w.write(endLine(text), "")
}

func (w *writer) write(text []byte, separator string) error {
	if len(text) == 0 {
		return nil
	}
	w.any = true
	if _, err := w.Write(append([]byte(separator), text...)); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// endLine ends a text that is not empty with a line break.
func endLine(text []byte) []byte {
	if len(text) == 0 || bytes.HasSuffix(text, []byte("\n")) {
		return text
	}
	return append(slices.Clip(text), '\n')
}

// isBefore says whether another document follows in the same file.
func (d *Document) isBefore(other *Document) bool {
	return d != nil && d.File == other.File && d.Number+1 == other.Number
}

func (d *Injected) in(format Format) ([]byte, error) {
	switch {
	case format == Patch && len(d.Operations) == 0, format == JSON && d.JSON == nil:
		return nil, nil
	case format == Patch:
		return patch.AppendJSON(nil, d.Operations)
	case format == JSON:
		return d.asJSON()
	}
	return nil, fmt.Errorf("format %q is unknown (formats: %s, %s, %s)", format, YAML, JSON, Patch)
}

// asJSON keeps the spelling of what was written as JSON.
func (d *Injected) asJSON() ([]byte, error) {
	patched, err := patch.Apply(d.JSON, d.Operations)
	if err != nil {
		return nil, err
	}
	indented, err := jsontext.AppendFormat(nil, patched, jsontext.WithIndent("  "), jsontext.PreserveRawStrings(d.IsJSON))
	if err != nil {
		return nil, fmt.Errorf("indenting JSON: %w", err)
	}
	return indented, nil
}

// asYAML keeps what people wrote where that is possible. What a document means is
// held against the patched JSON, because a writer of YAML has more ways to be
// wrong than one can think of.
func (d *Injected) asYAML() ([]byte, error) {
	if len(d.JSON) == 0 || d.staysAs(d.Text, false) {
		return d.Text, nil
	}
	patched, err := patch.Apply(d.JSON, d.Operations)
	if err != nil {
		return nil, err
	}
	if !d.IsJSON {
		if text, ok := patchYAML(d.plainLines(), d.Operations); ok && means(text, patched) {
			return d.withLineEnds(text, patched), nil
		}
	}
	return toYAML(patched)
}

// staysAs says whether a document may be written as this, the way it was read. It
// may not where a line break that follows would be part of it: a text in "|" that
// ended the file without one would get it.
func (d *Injected) staysAs(text []byte, isLast bool) bool {
	switch {
	case text == nil, len(d.Operations) > 0, d.IsJSON:
		return false
	case isLast, len(d.JSON) == 0, bytes.HasSuffix(text, []byte("\n")):
		return true
	}
	return means(append(slices.Clip(text), '\n'), d.JSON)
}

// endsInCRLF says whether every line of the document does.
func (d *Injected) endsInCRLF() bool {
	lines := bytes.Count(d.Text, []byte("\n"))
	return lines > 0 && bytes.Count(d.Text, []byte("\r\n")) == lines
}

// plainLines returns the text with ends of lines that the writer of YAML knows: it
// takes "\r\n" behind a comment for two.
func (d *Injected) plainLines() []byte {
	if d.endsInCRLF() {
		return bytes.ReplaceAll(d.Text, []byte("\r\n"), []byte("\n"))
	}
	return d.Text
}

// withLineEnds gives lines the ends that they had.
func (d *Injected) withLineEnds(text, patched []byte) []byte {
	if !d.endsInCRLF() {
		return text
	}
	if ended := bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")); means(ended, patched) {
		return ended
	}
	return text
}

// toYAML writes JSON as YAML.
func toYAML(text []byte) ([]byte, error) {
	node, err := toNode(text)
	if err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	written, err := encode(node, false)
	if err == nil && !means(written, text) {
		err = errors.New("it holds something that YAML cannot")
	}
	if err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	return written, nil
}

// means says whether a text of YAML is read as this JSON.
func means(text, want []byte) bool {
	got, err := convert(text)
	if err != nil {
		return false
	}
	a, errA := parseJSON(got)
	b, errB := parseJSON(want)
	return errA == nil && errB == nil && equal(a, b)
}

func parseJSON(text []byte) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&value)
	return value, err
}

// equal compares numbers by what they are, not by how they are written. One that
// is too large for YAML is read as text.
func equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, equal)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	}
	if a == b {
		return true
	}
	number, ok := b.(json.Number)
	if !ok {
		return false
	}
	if fmt.Sprint(a) == number.String() {
		return true
	}
	other, ok := a.(json.Number)
	x, errX := other.Float64()
	y, errY := number.Float64()
	return ok && errX == nil && errY == nil && x == y
}
