// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// newAllCommand makes "credence all": every process in one, for demos and tests.
func newAllCommand() *cobra.Command {
	process, webhook, controller := newProcess(), &servingFlags{}, &controllerFlags{}
	command := &cobra.Command{
		Use:   "all",
		Short: "Run every process in one, for demos and tests",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runAll(cmd.Context(), process, webhook, controller)
		},
	}
	process.addFlags(command)
	webhook.add(command.Flags())
	addFetchFlags(command.Flags(), &process.fetch)
	controller.add(command)
	command.Flags().StringVar(&controller.serving.address, "controller-bind-address", ":9444",
		"the address that reviews of deletes are served at; how else the controller serves is as the webhook does")
	command.Flags().BoolVar(&process.impersonate, "impersonate", false,
		"run each process as its own service account, by impersonation")
	return command
}

// runAll runs the processes side by side until one fails or the context is done.
// The addresses of metrics and health are those of the webhook; its readiness is
// the last to come, because it waits for the controller's certificate.
func runAll(ctx context.Context, p *process, webhook *servingFlags, controller *controllerFlags) error {
	group, ctx := errgroup.WithContext(ctx)
	alone := *p
	alone.metricsAddress, alone.healthAddress = "0", "0"
	controller.serving = servingFlags{controller.serving.address, webhook.names, webhook.certDir, webhook.drain, webhook.clients}
	group.Go(func() error { return runController(ctx, &alone, controller) })
	group.Go(func() error { return runWebhook(ctx, p, webhook) })
	return group.Wait()
}
