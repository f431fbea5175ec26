// SPDX-License-Identifier: Apache-2.0

package object

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// How long what a reference says can be, if there is an object that it means: group
// and version, kind, name, and a UID, which has 36 characters.
const (
	maxGroupVersion = 253 + 1 + 63
	maxKind         = 63
	maxName         = 253
	maxUID          = 64
)

// Controller returns an object's reference to its controller, nil if it has none, or
// one that no object can be meant by. Whoever may create a pod may write any text there,
// of any length: the API server looks at nothing but that it is not empty. It gets into
// the status of credentials that others share, which could not be written any more,
// and onto the terminals of those who delete them.
func Controller(object metav1.Object) *metav1.OwnerReference {
	reference := metav1.GetControllerOfNoCopy(object)
	if reference == nil || !isPlain(reference.APIVersion, maxGroupVersion) || !isPlain(reference.Kind, maxKind) ||
		!isPlain(reference.Name, maxName) || !isPlain(string(reference.UID), maxUID) {
		return nil
	}
	return reference
}

// isPlain says whether a text has no more characters than it may, and none but those
// that names are made of.
func isPlain(text string, most int) bool {
	return len(text) <= most && !strings.ContainsFunc(text, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("-._:/", r)
	})
}
