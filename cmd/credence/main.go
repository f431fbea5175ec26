// SPDX-License-Identifier: Apache-2.0

// Command credence is Credence's one program: each of its processes is a
// sub-command. Here is wiring only.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"
)

// version is set when a release is linked.
var version = "development"

func main() {
	root := &cobra.Command{
		Use:           "credence",
		Short:         "Credentials for workloads on Kubernetes",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newInjectCommand(), newDoctorCommand(), newUninstallCommand())
	for _, process := range []*cobra.Command{newWebhookCommand(), newControllerCommand(), newAllCommand()} {
		// A process stops in order when it is asked to. Ctrl-C ends everything else at once.
		process.PreRun = func(cmd *cobra.Command, _ []string) { cmd.SetContext(ctrl.SetupSignalHandler()) }
		root.AddCommand(process)
	}
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}
