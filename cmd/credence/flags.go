// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/credence-dev/credence/credential"
)

// addLayoutFlags adds the flags that say how a cluster is divided. Their defaults
// are the values that the layout has.
func addLayoutFlags(flags *pflag.FlagSet, layout *credential.Layout) {
	flags.Var(&checked{&layout.SystemNamespace, validation.IsDNS1123Label}, "system-namespace", "the namespace of cluster- and department-scoped credentials")
	flags.Var(&checked{&layout.InstallNamespace, validation.IsDNS1123Label}, "install-namespace", "the namespace that Credence runs in")
	flags.Var(&checked{&layout.ProjectLabel, validation.IsQualifiedName}, "project-label", "the label that makes a namespace a project")
	flags.Var(&checked{&layout.DepartmentLabel, validation.IsQualifiedName}, "department-label", "the label that says which department a project belongs to")
}

// checked is the value of a flag that must be a name that Kubernetes takes: one that
// it does not take would match nothing, and silently.
type checked struct {
	value    *string
	problems func(string) []string
}

// Set implements pflag.Value.
func (c *checked) Set(text string) error {
	if problems := c.problems(text); len(problems) > 0 {
		return errors.New(problems[0])
	}
	*c.value = text
	return nil
}

// String implements pflag.Value.
func (c *checked) String() string {
	if c.value == nil {
		return ""
	}
	return *c.value
}

// Type implements pflag.Value.
func (c *checked) Type() string { return "string" }
