// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"github.com/credence-dev/credence/certs"
	"github.com/credence-dev/credence/controller"
)

// electionID is the name of the controller's Lease, in the install namespace.
const electionID = "credence-controller"

// controllerFlags are the flags of the controller process.
type controllerFlags struct {
	propagationDelay time.Duration
}

func (f *controllerFlags) add(command *cobra.Command) {
	command.Flags().DurationVar(&f.propagationDelay, "ca-propagation-delay", certs.DefaultPropagationDelay,
		"how long a new CA is published before it signs: the time that every API server is given to notice")
}

// newControllerCommand makes "credence controller": propagation, status and
// certificates.
func newControllerCommand() *cobra.Command {
	process, flags := newProcess(), &controllerFlags{}
	command := &cobra.Command{
		Use:   "controller",
		Short: "Keep the copies, the status of credentials and the certificates",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runController(cmd.Context(), process, flags)
		},
	}
	process.addFlags(command)
	flags.add(command)
	return command
}

// runController works until the context is done.
func runController(ctx context.Context, p *process, flags *controllerFlags) error {
	log, config, clientset, err := p.connect(controllerAccount)
	if err != nil {
		return err
	}
	options := p.managerOptions(log)
	options.Cache = controller.CacheOptions()
	options.LeaderElection = true
	options.LeaderElectionID = electionID
	options.LeaderElectionNamespace = p.layout.InstallNamespace
	options.LeaderElectionReleaseOnCancel = true // the process ends when the manager does
	mgr, err := ctrl.NewManager(config, options)
	if err != nil {
		return fmt.Errorf("making the manager: %w", err)
	}
	known, following, err := followCluster(ctx, mgr, p.layout)
	if err != nil {
		return err
	}
	if err := controller.Setup(ctx, mgr, controller.Options{Catalog: known, Feed: following}); err != nil {
		return err
	}
	rotator := &certs.Rotator{
		Secret:   p.webhookCA(),
		Settings: certs.Settings{CommonName: "credence-webhook-ca", PropagationDelay: flags.propagationDelay},
	}
	if err := certs.Setup(mgr, clientset, rotator, &certs.Publisher{}); err != nil {
		return err
	}
	if err := addChecks(mgr, following, map[string]healthz.Checker{}); err != nil {
		return err
	}
	return mgr.Start(ctx)
}
