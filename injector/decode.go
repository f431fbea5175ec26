// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Decode reads the part of a document that a value has fields for. It is strict
// where the API server is (names in their exact case) and where patches would
// otherwise be ambiguous (no member twice). The error is a *Refusal.
func Decode(document []byte, into any) error {
	if err := json.Unmarshal(document, into); err != nil {
		return undecodable(err)
	}
	return nil
}

// DecodeError words the error of a decoder for people, as a *Refusal: in one line,
// with the place and without the document's values.
func DecodeError(err error) error { return undecodable(err) }

func undecodable(err error) *Refusal {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		refusal := &Refusal{Pointer: string(syntactic.JSONPointer), Problem: fmt.Sprintf("malformed JSON at byte %d", syntactic.ByteOffset)}
		if errors.Is(err, jsontext.ErrDuplicateName) {
			refusal.Problem = oneLine(fmt.Sprintf("%s stands twice", syntactic.JSONPointer), maxProblem)
		}
		return refusal
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		return mistyped(semantic)
	}
	return &Refusal{Problem: "malformed JSON"}
}

// mistyped words a value of the wrong type. What people get wrong most is an
// annotation without quotes, which YAML reads as a boolean or a number.
func mistyped(err *json.SemanticError) *Refusal {
	where := string(err.JSONPointer)
	if strings.HasSuffix(string(err.JSONPointer.Parent()), "/metadata/annotations") {
		return &Refusal{
			Annotation: err.JSONPointer.LastToken(), Pointer: where,
			Problem: "the value must be a string, not a JSON " + kindName(err.JSONKind) + "; put it in quotes",
		}
	}
	want := "something else"
	if err.GoType != nil {
		if kind, ok := wantedKinds[err.GoType.Kind()]; ok {
			want = kind
		}
	}
	if err.JSONKind == '0' && want == integer {
		want = "an integer in range"
	} else {
		want += ", not a JSON " + kindName(err.JSONKind)
	}
	what := where
	if what == "" {
		what = "it"
	}
	return &Refusal{Pointer: where, Problem: oneLine(what+" must be "+want, maxProblem)}
}

const integer = "an integer"

// wantedKinds words what a field of a Go type takes.
var wantedKinds = map[reflect.Kind]string{
	reflect.String: "a string",
	reflect.Bool:   "true or false",
	reflect.Int32:  integer,
	reflect.Int64:  integer,
	reflect.Slice:  "a list",
	reflect.Struct: "an object",
	reflect.Map:    "an object",
}

func kindName(kind jsontext.Kind) string {
	switch kind {
	case 'n':
		return "null"
	case 't', 'f':
		return "boolean"
	case '"':
		return "string"
	case '0':
		return "number"
	case '[':
		return "array"
	case '{':
		return "object"
	}
	return "value"
}

// isNull says whether a raw value is absent or null.
func isNull(raw jsontext.Value) bool {
	return len(raw) == 0 || bytes.Equal(bytes.TrimSpace(raw), []byte("null"))
}
