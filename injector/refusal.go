// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"errors"
	"fmt"

	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/pod"
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

func refuse(key, format string, args ...any) *Refusal {
	return &Refusal{Annotation: key, Problem: annotation.OneLine(fmt.Sprintf(format, args...), annotation.MaxProblem)}
}

func malformed(err *annotation.Error) *Refusal {
	return &Refusal{Annotation: err.Annotation, Problem: annotation.OneLine(err.Problem, annotation.MaxProblem)}
}

// unreadable refuses a document that cannot be decoded. Other errors pass.
func unreadable(err error) error {
	var fault *pod.Error
	if !errors.As(err, &fault) {
		return err
	}
	return &Refusal{Annotation: fault.Annotation, Problem: fault.Problem, Pointer: fault.Pointer}
}
