// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"errors"

	"github.com/credence-dev/credence/injector/annotation"
)

// Error is what is wrong with a document that cannot be read, in one sentence to
// the person who wrote it.
type Error struct {
	// Annotation is the key of the annotation that is at fault, if it is one.
	Annotation string
	// Pointer is where in the document the fault is, as a JSON pointer; empty where
	// it is the document as a whole.
	Pointer string
	// Problem says what is wrong, without the document's values.
	Problem string
}

// Error returns the sentence.
func (e *Error) Error() string {
	if e.Annotation == "" {
		return e.Problem
	}
	return (&annotation.Error{Annotation: e.Annotation, Problem: e.Problem}).Error()
}

// NotA says what the document should have been, where no annotation is at fault.
func (e *Error) NotA(what string) *Error {
	if e.Annotation == "" {
		e.Problem = "not a " + what + ": " + e.Problem
	}
	return e
}

// Within makes the place of a fault, if the error is an *Error, one in a document
// that has the faulty one at a JSON pointer.
func Within(pointer string, err error) error {
	var fault *Error
	if errors.As(err, &fault) {
		fault.Pointer = pointer + fault.Pointer
	}
	return err
}
