// SPDX-License-Identifier: Apache-2.0

// Package annotation reads what people write on pods and workloads: which
// annotations are Credence's, and what they ask for. Whether it can be had is
// not its question.
//
// It is pure, and must import no other package of this module but the API, spelling and search.
package annotation

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// fixed are the annotations whose whole key is known, and which of them people
// write to ask for something.
var fixed = map[string]bool{
	v1alpha1.AnnotationCredentials: true,
	v1alpha1.AnnotationEnv:         true,
	v1alpha1.AnnotationEnvironment: true,
	v1alpha1.AnnotationDataSources: true,
	v1alpha1.AnnotationTemplate:    true,
	v1alpha1.AnnotationContainers:  true,
	v1alpha1.AnnotationInject:      true,

	v1alpha1.AnnotationInjected:     false,
	v1alpha1.AnnotationWarnings:     false,
	v1alpha1.AnnotationRestartedFor: false,
	v1alpha1.AnnotationRestarts:     false,
	v1alpha1.AnnotationCarried:      false,
}

// Ours says whether an annotation key is under Credence's domains, in whatever
// case: it has the form (?i)^([a-z0-9-]+[.])*credence[.]dev/ that the match
// conditions of the webhooks use.
func Ours(key string) bool {
	domain, _, ok := strings.Cut(key, "/")
	if !ok || len(domain) < len(v1alpha1.Group) {
		return false
	}
	rest := domain[:len(domain)-len(v1alpha1.Group)]
	if !strings.EqualFold(domain[len(rest):], v1alpha1.Group) {
		return false
	}
	if rest == "" {
		return true
	}
	labels := strings.Split(rest, ".")
	if labels[len(labels)-1] != "" { // rest ends with a dot
		return false
	}
	return !slices.ContainsFunc(labels[:len(labels)-1], func(label string) bool {
		return label == "" || strings.ContainsFunc(label, notHostCharacter)
	})
}

func notHostCharacter(r rune) bool {
	return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// Asks says whether an annotation asks for something, well or badly: it is under
// our domains, and not one that Credence itself writes.
func Asks(key string) bool {
	if !Ours(key) {
		return false
	}
	asks, known := fixed[key]
	return asks || !known
}

// IsRequest says whether a key is one of those that people write to ask for something,
// rightly spelt.
func IsRequest(key string) bool {
	return fixed[key] || strings.HasPrefix(key, v1alpha1.AnnotationEnvPrefix) || strings.HasPrefix(key, v1alpha1.AnnotationMountPrefix)
}

// AsksAny says whether any annotation asks for something.
func AsksAny(annotations map[string]string) bool {
	for key := range annotations {
		if Asks(key) {
			return true
		}
	}
	return false
}

// Error is what is wrong with one annotation.
type Error struct {
	// Annotation is the key.
	Annotation string
	// Problem is the rest of the sentence.
	Problem string
	// Credential is what cannot be the name of one, where that is the problem.
	Credential string
	// Asset is what cannot be the name of an asset, of the kind that the annotation
	// names, where that is the problem.
	Asset string
}

func failed(key, problem string) *Error { return &Error{Annotation: key, Problem: problem} }

// Error returns one sentence.
func (e *Error) Error() string { return "annotation " + Show(e.Annotation) + ": " + e.Problem }

// maxKey is the longest key that the API server takes: a domain, "/", a name.
const maxKey = 253 + 1 + 63

// Show returns a key or a name as it is, unless it is one that only an unvalidated
// document can hold.
func Show(name string) string {
	if len(name) <= maxKey && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return name
	}
	return Quote(name)
}

// maxQuoted bounds how much of what somebody wrote is repeated in a message.
const maxQuoted = 80

// Quote quotes what somebody wrote, cut to a length that a sentence can hold.
func Quote(text string) string {
	if len(text) <= maxQuoted {
		return strconv.QuoteToGraphic(text)
	}
	end := maxQuoted
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return strconv.QuoteToGraphic(text[:end] + "…")
}

// MaxProblem bounds the length of what is said of one fault, in bytes.
const MaxProblem = 1000

// OneLine keeps a message to one line of at most so many bytes: parts of it come
// from documents that nobody has validated yet.
func OneLine(text string, length int) string {
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
