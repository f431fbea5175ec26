// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// newAllCommand makes "credence all": every process in one, for demos and tests.
func newAllCommand() *cobra.Command {
	process, webhook, controller := newProcess(), &webhookFlags{}, &controllerFlags{}
	command := &cobra.Command{
		Use:   "all",
		Short: "Run every process in one, for demos and tests",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runAll(cmd.Context(), process, webhook, controller)
		},
	}
	process.addFlags(command)
	webhook.add(command)
	controller.add(command)
	command.Flags().BoolVar(&process.impersonate, "impersonate", false,
		"run each process as its own service account, by impersonation")
	return command
}

// runAll runs the processes side by side until one fails or the context is done.
// The addresses of metrics and health are those of the webhook; its readiness is
// the last to come, because it waits for the controller's certificate.
func runAll(ctx context.Context, p *process, webhook *webhookFlags, controller *controllerFlags) error {
	group, ctx := errgroup.WithContext(ctx)
	alone := *p
	alone.metricsAddress, alone.healthAddress = "0", "0"
	group.Go(func() error { return runController(ctx, &alone, controller) })
	group.Go(func() error { return runWebhook(ctx, p, webhook) })
	return group.Wait()
}
