// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"strings"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// KubernetesName returns the name of the Secret that pods refer to: for project
// scope the source itself, else the copy. It is empty for an unknown type.
func KubernetesName(c *v1alpha1.Credential) string {
	if c.Spec.Scope.Level == v1alpha1.ScopeProject {
		return c.Spec.SecretRef.Name
	}
	definition, ok := DefinitionOf(c.Spec.Type)
	if !ok {
		return ""
	}
	return definition.NamePrefix + c.Name
}

// VariablePrefix returns the credential's name as environment variables begin
// with it: upper case, "_" for "-", and "_" before a leading digit.
func VariablePrefix(name string) string {
	prefix := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	if prefix != "" && prefix[0] >= '0' && prefix[0] <= '9' {
		prefix = "_" + prefix
	}
	return prefix
}

// Variable returns the full name of a default variable for a credential's name.
func (v DefaultVariable) Variable(credentialName string) string {
	if v.Prefixed {
		return VariablePrefix(credentialName) + v.Name
	}
	return v.Name
}
