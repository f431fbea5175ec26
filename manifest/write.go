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
	for i := range documents {
		text, err := documents[i].in(format)
		if err != nil {
			return fmt.Errorf("%s: %w", &documents[i].Document, err)
		}
		if len(text) == 0 {
			continue
		}
		if format == YAML && i > 0 {
			text = append([]byte("---\n"), text...)
		}
		if text[len(text)-1] != '\n' {
			text = append(text, '\n')
		}
		if _, err := w.Write(text); err != nil {
			return fmt.Errorf("writing the output: %w", err)
		}
	}
	return nil
}

func (d *Injected) in(format Format) ([]byte, error) {
	switch format {
	case Patch:
		if len(d.Operations) == 0 {
			return nil, nil
		}
		return patch.AppendJSON(nil, d.Operations)
	case JSON:
		if d.JSON == nil {
			return nil, nil
		}
		return d.asJSON()
	case YAML:
		return d.asYAML()
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
	if len(d.JSON) == 0 || len(d.Operations) == 0 && !d.IsJSON && d.endsWell() {
		return d.Text, nil
	}
	patched, err := patch.Apply(d.JSON, d.Operations)
	if err != nil {
		return nil, err
	}
	if !d.IsJSON {
		if text, ok := patchYAML(d.Text, d.Operations); ok && means(text, patched) {
			return text, nil
		}
	}
	return toYAML(patched)
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

// endsWell says whether a line break may follow the document, as it does where it
// is written. A text in "|" that ended the file without one would get it.
func (d *Injected) endsWell() bool {
	return bytes.HasSuffix(d.Text, []byte("\n")) || means(append(bytes.Clone(d.Text), '\n'), d.JSON)
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
