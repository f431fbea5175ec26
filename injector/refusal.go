// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"errors"
	"fmt"

	"github.com/credence-dev/credence/credential"
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
	// NotFound means that a namespace, a credential or an asset was not known. It may have been
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

// inLine says which line of the annotation is at fault; 0 for an annotation that is
// not read by lines.
func (r *Refusal) inLine(line int) *Refusal {
	if line > 0 && r.Annotation != "" {
		r.Problem = annotation.OneLine(annotation.InLine(line, r.Problem), annotation.MaxProblem)
	}
	return r
}

func malformed(known Catalog, place credential.Place, err *annotation.Error) *Refusal {
	hint := ""
	switch {
	case !place.IsProject():
	case err.Credential != "":
		hint = annotation.Nearest(err.Credential, known.Visible(place))
	case err.Asset != "":
		hint = annotation.Nearest(err.Asset, known.VisibleAssets(kindNamedBy(err.Annotation), place))
	}
	return refuse(err.Annotation, "%s%s", err.Problem, hint)
}

// unreadable refuses a document that cannot be decoded. Other errors pass.
func unreadable(err error) error {
	var fault *pod.Error
	if !errors.As(err, &fault) {
		return err
	}
	return &Refusal{Annotation: fault.Annotation, Problem: fault.Problem, Pointer: fault.Pointer}
}
