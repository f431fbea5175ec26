// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/credence-dev/credence/injector/workload"
	"github.com/credence-dev/credence/serving"
	"github.com/credence-dev/credence/webhook"
)

// newWebhookCommand makes "credence webhook": admission of pods.
func newWebhookCommand() *cobra.Command {
	process, flags := newProcess(), &servingFlags{}
	command := &cobra.Command{
		Use:   "webhook",
		Short: "Serve the admission webhooks",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runWebhook(cmd.Context(), process, flags)
		},
	}
	process.addFlags(command)
	flags.add(command.Flags())
	addFetchFlags(command.Flags(), &process.fetch)
	return command
}

// runWebhook serves until stop is done and the drain is over.
func runWebhook(stop context.Context, p *process, flags *servingFlags) error {
	if err := p.fetch.Validate(); err != nil {
		return err
	}
	log, config, clientset, err := p.connect(webhookAccount)
	if err != nil {
		return err
	}
	front, ctx, cancel, err := newFront(stop, p, "webhook", flags, clientset)
	if err != nil {
		return err
	}
	defer cancel()
	options := p.managerOptions(log)
	options.WebhookServer = front.server
	mgr, err := ctrl.NewManager(config, options)
	if err != nil {
		return fmt.Errorf("making the manager: %w", err)
	}
	known, following, err := followCluster(ctx, mgr, p.layout, "webhook")
	if err != nil {
		return err
	}
	kinds := &workload.Registry{}
	kindsKnown, err := webhook.FollowKinds(ctx, mgr.GetCache(), kinds)
	if err != nil {
		return err
	}
	synced := func() bool { return following.Synced() && kindsKnown() }
	err = webhook.Register(mgr.GetWebhookServer(), webhook.Options{
		Catalog: known, Kinds: kinds, Live: mgr.GetAPIReader(), Log: log.WithName("webhook"), Registry: metrics.Registry, Fetch: &p.fetch,
	}, func(next http.Handler) http.Handler { return front.stopping(serving.WhenReady(synced, next)) })
	if err != nil {
		return err
	}
	if err := front.registerMetrics(); err != nil {
		return err
	}
	if err := addChecks(mgr, synced, front.checks()); err != nil {
		return err
	}
	return front.run(ctx, mgr)
}
