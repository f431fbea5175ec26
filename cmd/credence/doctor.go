// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/controller/doctor"
	"github.com/credence-dev/credence/controller/strays"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/injector/fetch"
)

// doctorFlags are the flags of "credence doctor".
type doctorFlags struct {
	kubeconfig, context, namespace string
	output                         string
	repair                         repairs
	releaseStrays                  bool
	layout                         credential.Layout
	fetch                          fetch.Settings
}

// newDoctorCommand makes "credence doctor": the controller's examination, with the
// rights of whoever asks.
func newDoctorCommand() *cobra.Command {
	f := &doctorFlags{layout: credential.DefaultLayout(), fetch: fetch.Default()}
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Find pods and workloads that were not injected as they ask for",
		Long: `Doctor finds what admission did not do, because it was away or was bypassed:
pods that have nothing of what their annotations name, workloads whose
annotations were not carried to their pod templates, and pods that have not run
yet and lack a registry login that serves them now.

It reads the cluster with your own rights: namespaces, Credentials and assets of
all namespaces, and pods and workloads of those that are looked at. The exit
status is 1 if anything is found.

--repair=evict replaces such pods, one of each workload, by evicting them: if a
controller owns them, if a PodDisruptionBudget allows it, and if a pod like them,
created for show (dry run), has what they lack. Pods that run to their end, as
those of Jobs do, are left alone.

--release-strays does something else, and only that: for half an hour the
controller removes the copies that it holds because no Credential is left for
very many of them. See docs/doctor.md.`,
		Example: `  credence doctor
  credence doctor -n team-a -o json
  credence doctor -n team-a --repair=evict`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains([]string{"table", "json"}, f.output) {
				return fmt.Errorf("output format %q is unknown; it is table or json", f.output)
			}
			if f.repair.has(repairCarry) {
				return errors.New("annotations are carried by the controller (chart value repair), or by the webhook when any annotation of the workload changes")
			}
			return f.run(cmd)
		},
	}
	flags := command.Flags()
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "the kubeconfig; by default that of the environment")
	flags.StringVar(&f.context, "context", "", "the context of the kubeconfig; by default the current one")
	flags.StringVarP(&f.namespace, "namespace", "n", "", "look at this namespace only; by default at all projects")
	flags.StringVarP(&f.output, "output", "o", "table", "table or json")
	flags.Var(&f.repair, "repair", "what to put right; "+repairEvict+" is all that there is here")
	flags.BoolVar(&f.releaseStrays, "release-strays", false, "let the controller remove the copies that it holds, for half an hour; nothing is examined")
	flags.StringVar(&f.fetch.CAConfigMap, "ca-config-map", "", "the chart's value webhook.fetch.caConfigMap, if it is set")
	addLayoutFlags(flags, &f.layout)
	return command
}

func (f *doctorFlags) run(cmd *cobra.Command) error {
	ctrl.SetLogger(logr.Discard())
	c, err := connect(f.kubeconfig, f.context, "doctor")
	if err != nil {
		return err
	}
	if f.releaseStrays {
		return f.release(cmd, c)
	}
	report, input, err := f.examine(cmd.Context(), c)
	if err != nil {
		return err // what was found before it would be taken for all
	}
	var unfinished error
	if f.repair.has(repairEvict) {
		replacer := &doctor.Replacer{Judge: input.Judge, Live: c, Client: c, Clock: clock.RealClock{}, Patience: time.Hour}
		unfinished = replacer.Replace(cmd.Context(), &report)
	}
	write := report.WriteTable
	if f.output == "json" {
		write = report.WriteJSON
	}
	if err := errors.Join(unfinished, write(cmd.OutOrStdout())); err != nil {
		return err
	}
	if n := len(report.Findings); n > 0 {
		return fmt.Errorf("findings: %d", n)
	}
	return nil
}

func (f *doctorFlags) examine(ctx context.Context, c client.Client) (doctor.Report, doctor.Input, error) {
	cluster := &doctor.Cluster{Client: c, Layout: f.layout, Fetch: &f.fetch, Namespace: f.namespace}
	input, err := cluster.Input(ctx)
	if err != nil {
		return doctor.Report{}, input, err
	}
	report, err := doctor.Examine(input)
	return report, input, err
}

func (f *doctorFlags) release(cmd *cobra.Command, c client.Client) error {
	lease := types.NamespacedName{Namespace: f.layout.InstallNamespace, Name: strays.LeaseName}
	until := time.Now().Add(strays.ReleaseFor).UTC()
	if err := strays.Release(cmd.Context(), c, lease, until); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Until %s the controller removes copies that have no Credential any more, however many they are.\n", until.Format(time.RFC3339))
	return nil
}
