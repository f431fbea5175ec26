// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Text is a string that is only compared with another. Where a document has something
// else, such as a number without quotes, it is empty: that is for the API server to
// complain of.
type Text string

// UnmarshalJSONFrom reads a string.
func (t *Text) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	if decoder.PeekKind() != '"' {
		return decoder.SkipValue()
	}
	token, err := decoder.ReadToken()
	if err != nil {
		return err
	}
	*t = Text(token.String())
	return nil
}

// Texts are strings likewise, as they stand in the document: of most pods they are
// never looked at.
type Texts jsontext.Value

// UnmarshalJSONFrom keeps the list.
func (t *Texts) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	value, err := decoder.ReadValue()
	*t = Texts(value.Clone())
	return err
}

// Equal says whether the list has just these strings.
func (t Texts) Equal(wanted []string) bool {
	var list []string
	return (len(t) == 0 || json.Unmarshal(t, &list) == nil) && slices.Equal(list, wanted)
}
