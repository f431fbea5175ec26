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
	root.AddCommand(newInjectCommand(), newWebhookCommand(), newControllerCommand(), newAllCommand())
	if err := root.ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}
