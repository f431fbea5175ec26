// SPDX-License-Identifier: Apache-2.0

package patch

import (
	"fmt"
	"slices"

	jsonpatchapply "github.com/evanphx/json-patch/v5"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"gomodules.xyz/jsonpatch/v2"
)

// Apply returns the document with the operations applied. Members that no
// operation touches keep their values to the letter.
func Apply(document []byte, operations []jsonpatch.Operation) ([]byte, error) {
	if len(operations) == 0 {
		return document, nil
	}
	text, err := AppendJSON(nil, operations)
	if err != nil {
		return nil, fmt.Errorf("writing the patch: %w", err)
	}
	patch, err := jsonpatchapply.DecodePatch(text)
	if err != nil {
		return nil, fmt.Errorf("reading the patch: %w", err)
	}
	options := jsonpatchapply.NewApplyOptions()
	options.EscapeHTML = false
	patched, err := patch.ApplyWithOptions(document, options)
	if err != nil {
		return nil, fmt.Errorf("applying the patch: %w", err)
	}
	return patched, nil
}

// typicalOperation is about how many bytes one takes.
const typicalOperation = 256

// AppendJSON appends operations as the JSON of a patch: an array, empty for none.
func AppendJSON(patch []byte, operations []jsonpatch.Operation) ([]byte, error) {
	text := appender(append(slices.Grow(patch, typicalOperation*len(operations)), '['))
	for i, operation := range operations {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, `{"op":"`...)
		text = append(text, operation.Operation...)
		text = append(text, `","path":`...)
		var err error
		if text, err = jsontext.AppendQuote(text, operation.Path); err != nil {
			return nil, fmt.Errorf("operation %d: %w", i, err)
		}
		if operation.Operation != "remove" {
			text = append(text, `,"value":`...)
			if err := json.MarshalWrite(&text, operation.Value, deterministic); err != nil {
				return nil, fmt.Errorf("operation %d at %s: %w", i, operation.Path, err)
			}
		}
		text = append(text, '}')
	}
	return append(text, ']'), nil
}

// deterministic orders the members of maps.
var deterministic = json.Deterministic(true)

// appender is a writer that appends to itself.
type appender []byte

func (a *appender) Write(text []byte) (int, error) {
	*a = append(*a, text...)
	return len(text), nil
}
