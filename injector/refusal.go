// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"fmt"

	"github.com/credence-dev/credence/injector/annotation"
)

// Refusal is why a pod is not admitted, in one sentence to the person who wrote
// it. It tells nothing of other projects or departments.
type Refusal struct {
	// Annotation is the key that asked for what cannot be had; empty where the
	// document itself is at fault.
	Annotation string
	// Problem says what is wrong, and what was probably meant.
	Problem string
	// Kind says what may help.
	Kind RefusalKind
}

// RefusalKind says what may help against a refusal.
type RefusalKind int

const (
	// Invalid: only writing something else helps.
	Invalid RefusalKind = iota
	// NotFound: a namespace or a credential was not known. It may have been
	// created a moment ago.
	NotFound
	// NotReady: a credential is still being prepared. Waiting helps.
	NotReady
)

// Error returns the sentence.
func (r *Refusal) Error() string {
	if r.Annotation == "" {
		return r.Problem
	}
	return "annotation " + r.Annotation + ": " + r.Problem
}

func refuse(key, format string, args ...any) *Refusal {
	return &Refusal{Annotation: key, Problem: fmt.Sprintf(format, args...)}
}

func malformed(err *annotation.Error) *Refusal {
	return &Refusal{Annotation: err.Annotation, Problem: err.Problem}
}
