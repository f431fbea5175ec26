// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/credence-dev/credence/certs"
	"github.com/credence-dev/credence/controller"
	"github.com/credence-dev/credence/controller/progress"
	"github.com/credence-dev/credence/controller/restart"
	"github.com/credence-dev/credence/usage"
)

// controllerFlags are the flags of the controller process.
type controllerFlags struct {
	propagationDelay time.Duration
	releaseStrays    bool
	restartWorkloads bool
}

func (f *controllerFlags) add(command *cobra.Command) {
	command.Flags().DurationVar(&f.propagationDelay, "ca-propagation-delay", certs.DefaultPropagationDelay,
		"how long a new CA is published before it signs: the time that every API server is given to notice")
	command.Flags().BoolVar(&f.releaseStrays, "release-strays", false,
		"remove copies that have no Credential any more, however many they are, and also while the resource Credential is missing or being deleted")
	command.Flags().BoolVar(&f.restartWorkloads, "restart-workloads", false,
		"restart the workloads that read changed values through environment variables, for credentials with rotation.restart")
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
			if os.Getenv("GOGC") == "" {
				// Most of its memory is what it knows of the cluster, which the default
				// lets garbage double. It is on nobody's way, and CPU is what it has to
				// spare. Not where the webhook runs in the same process.
				debug.SetGCPercent(50)
			}
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
	monitor := progress.NewMonitor(clock.RealClock{})
	config.Wrap(monitor.Transport)
	options := p.managerOptions(log)
	options.Cache = controller.CacheOptions()
	options.LeaderElection = true
	options.LeaderElectionID = controller.LeaseName
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
	index, err := followUsage(mgr)
	if err != nil {
		return err
	}
	if err := controller.Setup(ctx, mgr, controller.Options{
		Catalog: known, Feed: following, Usage: index, ReleaseStrays: flags.releaseStrays,
		Restart: restart.Settings{Enabled: flags.restartWorkloads}, Progress: monitor,
	}); err != nil {
		return err
	}
	rotator := &certs.Rotator{
		Secret:   p.webhookCA(),
		Settings: certs.Settings{CommonName: "credence-webhook-ca", PropagationDelay: flags.propagationDelay},
	}
	if err := certs.Setup(mgr, clientset, rotator, &certs.Publisher{}); err != nil {
		return err
	}
	if err := addChecks(mgr, following, map[string]healthz.Checker{"usage": complete(index)}); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("progress", monitor.Check); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// followUsage gives a manager an index of who uses what. It follows the cluster on
// standbys too, so that a new leader knows at once.
func followUsage(mgr manager.Manager) (*usage.Index, error) {
	index := usage.NewIndex()
	follower, err := usage.Follow(mgr.GetConfig(), index, usage.Options{
		Log:        mgr.GetLogger().WithName("usage"),
		Registerer: metrics.Registry,
	})
	if err != nil {
		return nil, err
	}
	return index, mgr.Add(follower)
}

// complete is the readiness of an index: a standby that does not know yet who uses
// what is no stand-in for the one that does.
func complete(index *usage.Index) healthz.Checker {
	return func(*http.Request) error {
		if !index.Synced() {
			return errors.New("who uses what is not known yet")
		}
		return nil
	}
}
