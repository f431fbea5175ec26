// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/credence-dev/credence/controller"
	"github.com/credence-dev/credence/controller/uninstall"
	"github.com/credence-dev/credence/credential"
)

// newUninstallCommand makes "credence uninstall", which is also the chart's hook.
func newUninstallCommand() *cobra.Command {
	var kubeconfig, context, copies string
	installNamespace := credential.DefaultLayout().InstallNamespace
	options := uninstall.Options{Lease: controller.LeaseName, Interval: time.Second, Clock: clock.RealClock{}}
	command := &cobra.Command{
		Use:   "uninstall",
		Short: "Take off a cluster what would block it without Credence",
		Long: `Uninstall removes Credence's webhook configurations and admission policies,
stops its processes, and takes its finalizers off, in this order. After that no
namespace, credential or pod waits for Credence. Credentials and their sources
stay, and so do the copies, so that another installation finds all as it was.

helm uninstall runs it first. By hand it needs the rights of a cluster
administrator. It can be run again at any time, and says what is left if it could
not do all; the exit status is then 1. See docs/uninstall.md.`,
		Example: `  credence uninstall
  credence uninstall --copies=release`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			options.Copies = uninstall.Copies(copies)
			if !slices.Contains([]uninstall.Copies{uninstall.KeepCopies, uninstall.ReleaseCopies, uninstall.DeleteCopies}, options.Copies) {
				return fmt.Errorf("--copies=%s is unknown; it is keep, release or delete", copies)
			}
			ctrl.SetLogger(logr.Discard())
			if options.Client, err = connect(kubeconfig, context, "uninstall"); err != nil {
				return err
			}
			options.InstallNamespace, options.Out = installNamespace, cmd.OutOrStdout()
			return uninstall.Run(cmd.Context(), options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&kubeconfig, "kubeconfig", "", "the kubeconfig; by default that of the environment")
	flags.StringVar(&context, "context", "", "the context of the kubeconfig; by default the current one")
	flags.Var(&checked{&installNamespace, validation.IsDNS1123Label}, "install-namespace", "the namespace that Credence runs in")
	flags.StringVar(&copies, "copies", string(uninstall.KeepCopies),
		"what becomes of the copies: keep; release makes ordinary Secrets of them; delete deletes them, also those in use")
	flags.DurationVar(&options.Timeout, "timeout", 4*time.Minute, "when to give up, and say what is left")
	return command
}
