// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"sigs.k8s.io/yaml"

	"github.com/credence-dev/credence/injector"
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
		return injector.AppendPatch(nil, d.Operations)
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

func (d *Injected) asJSON() ([]byte, error) {
	patched, err := injector.Apply(d.JSON, d.Operations)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, patched, "", "  "); err != nil {
		return nil, fmt.Errorf("indenting JSON: %w", err)
	}
	return out.Bytes(), nil
}

func (d *Injected) asYAML() ([]byte, error) {
	if len(d.Operations) == 0 && !d.IsJSON {
		return d.Text, nil
	}
	if !d.IsJSON {
		if patched, ok := patchYAML(d.Text, d.Operations); ok {
			return patched, nil
		}
	}
	patched, err := injector.Apply(d.JSON, d.Operations)
	if err != nil {
		return nil, err
	}
	return yaml.JSONToYAML(patched)
}
