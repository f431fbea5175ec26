// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/credence-dev/credence/injector/annotation"
)

// DecodeInto reads the part of a document that a value has fields for. It is strict
// where the API server is (names in their exact case) and where patches would
// otherwise be ambiguous (no member twice). The error is an *Error.
func DecodeInto(document []byte, into any) error {
	if err := json.Unmarshal(document, into); err != nil {
		return Explain(err)
	}
	return nil
}

// Explain words the error of a decoder for people: in one line, with the place and
// without the document's values.
func Explain(err error) *Error {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		explained := &Error{Pointer: string(syntactic.JSONPointer), Problem: fmt.Sprintf("malformed JSON at byte %d", syntactic.ByteOffset)}
		if errors.Is(err, jsontext.ErrDuplicateName) {
			explained.Problem = annotation.OneLine(fmt.Sprintf("%s stands twice", syntactic.JSONPointer), annotation.MaxProblem)
		}
		return explained
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		return mistyped(semantic)
	}
	return &Error{Problem: "malformed JSON"}
}

// mistyped words a value of the wrong type. What people get wrong most is an
// annotation without quotes, which YAML reads as a boolean or a number.
func mistyped(err *json.SemanticError) *Error {
	where := string(err.JSONPointer)
	if strings.HasSuffix(string(err.JSONPointer.Parent()), "/metadata/annotations") {
		return &Error{
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
	return &Error{Pointer: where, Problem: annotation.OneLine(what+" must be "+want, annotation.MaxProblem)}
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
