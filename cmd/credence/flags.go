// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/pflag"

	"github.com/credence-dev/credence/credential"
)

// addLayoutFlags adds the flags that say how a cluster is divided. Their defaults
// are the values that the layout has.
func addLayoutFlags(flags *pflag.FlagSet, layout *credential.Layout) {
	flags.StringVar(&layout.SystemNamespace, "system-namespace", layout.SystemNamespace, "the namespace of cluster- and department-scoped credentials")
	flags.StringVar(&layout.InstallNamespace, "install-namespace", layout.InstallNamespace, "the namespace that Credence runs in")
	flags.StringVar(&layout.ProjectLabel, "project-label", layout.ProjectLabel, "the label that makes a namespace a project")
	flags.StringVar(&layout.DepartmentLabel, "department-label", layout.DepartmentLabel, "the label that says which department a project belongs to")
}
