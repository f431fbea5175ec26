// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/spelling"
	"github.com/credence-dev/credence/credential/words"
)

// Unusable says, as the rest of a sentence, why nothing can use the credential;
// empty if it can be used. It is for those who may not see it: without names of
// other namespaces, departments or Secrets.
func (e *Entry) Unusable() string { return problems[e.Problem] }

var problems = map[string]string{
	v1alpha1.ReasonNotAProject:         "it is not in a project or another place for credentials",
	v1alpha1.ReasonWrongNamespace:      "it is in a namespace that does not fit its scope",
	v1alpha1.ReasonSourceNotAuthorized: "its Secret is not authorized for it by the right labels",
	v1alpha1.ReasonSourceNotAllowed:    "its Secret is never a source, because of its kind or its namespace",
	v1alpha1.ReasonSourceInUse:         "its Secret already serves another credential",
	v1alpha1.ReasonSourceInvalid:       "its Secret has the wrong type or keys",
}

// Variable returns the data key that becomes an environment variable, or the problem
// with it.
func (e *Entry) Variable(reference string) (key, problem string) {
	if problem := e.NoVariable(reference); problem != "" {
		return "", problem
	}
	return e.Key(reference)
}

// NoVariable says why a key can never be an environment variable, whatever keys the
// Secret has; empty if it can.
func (e *Entry) NoVariable(reference string) string {
	if e.Definition.Type != v1alpha1.DockerRegistry || reference == corev1.DockerConfigJsonKey {
		return ""
	}
	return fmt.Sprintf("credential %q of type %s can be a variable by its key %s only, not by %q",
		e.Name, e.Definition.Type, corev1.DockerConfigJsonKey, reference)
}

// maxKeysNamed bounds how many keys a message lists.
const maxKeysNamed = 10

// Key returns the data key that a reference means, or the problem with it. Where the
// Secret was never seen, a reference that is no role is taken at its word.
func (e *Entry) Key(reference string) (key, problem string) {
	if key, ok := credential.FindKey(e.Keys, reference); ok {
		return key, ""
	}
	if !e.KeysKnown {
		return reference, ""
	}
	names := make([]string, 0, len(e.Keys))
	for _, k := range e.Keys {
		names = append(names, k.Key)
	}
	listed := words.Few(names, maxKeysNamed)
	for _, k := range e.Keys {
		if k.Role != "" {
			names = append(names, k.Role)
		}
	}
	return "", fmt.Sprintf("credential %q of type %s has no key %q (keys: %s)%s",
		e.Name, e.Definition.Type, reference, listed, spelling.Hint(reference, names))
}
