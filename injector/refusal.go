// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/credence-dev/credence/injector/annotation"
)

// Refusal is why a pod is not admitted, in one sentence to the person who wrote
// it. It tells nothing of other projects or departments.
type Refusal struct {
	// Annotation is the key that asked for what cannot be had; empty where the
	// document itself is at fault.
	Annotation string
	// Problem says what is wrong, and what was probably meant: one line of at most
	// 1000 bytes.
	Problem string
	// Kind says what may help.
	Kind RefusalKind
	// Pointer is where in the document the fault is, as a JSON pointer; empty where
	// it is the document as a whole, or an annotation.
	Pointer string
}

// RefusalKind says what may help against a refusal.
type RefusalKind int

const (
	// Invalid means that only writing something else helps.
	Invalid RefusalKind = iota
	// NotFound means that a namespace or a credential was not known. It may have been
	// created a moment ago.
	NotFound
	// NotReady means that a credential is still being prepared. Waiting helps.
	NotReady
)

// Error returns the sentence.
func (r *Refusal) Error() string {
	if r.Annotation == "" {
		return r.Problem
	}
	return (&annotation.Error{Annotation: r.Annotation, Problem: r.Problem}).Error()
}

// maxProblem bounds the length of a Problem, in bytes.
const maxProblem = 1000

func refuse(key, format string, args ...any) *Refusal {
	return &Refusal{Annotation: key, Problem: oneLine(fmt.Sprintf(format, args...), maxProblem)}
}

func malformed(err *annotation.Error) *Refusal {
	return &Refusal{Annotation: err.Annotation, Problem: oneLine(err.Problem, maxProblem)}
}

// notA says what a document should have been, where the fault is in the document
// as a whole.
func notA(what string, refusal *Refusal) *Refusal {
	if refusal.Annotation == "" {
		refusal.Problem = "not a " + what + ": " + refusal.Problem
	}
	return refusal
}

// oneLine keeps a message to one line of at most so many bytes: parts of it come
// from documents that nobody has validated yet.
func oneLine(text string, length int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	if len(text) <= length {
		return text
	}
	end := length - len("…")
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
