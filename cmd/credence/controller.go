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
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/credence-dev/credence/certs"
	"github.com/credence-dev/credence/controller"
	"github.com/credence-dev/credence/controller/cabundle"
	"github.com/credence-dev/credence/controller/doctor"
	"github.com/credence-dev/credence/controller/kinds"
	"github.com/credence-dev/credence/controller/progress"
	"github.com/credence-dev/credence/controller/restart"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/injector/workload"
	"github.com/credence-dev/credence/usage"
	"github.com/credence-dev/credence/webhook/deletes"
)

// controllerFlags are the flags of the controller process.
type controllerFlags struct {
	serving          servingFlags
	propagationDelay time.Duration
	caFiles          []string
	releaseStrays    bool
	restartWorkloads bool
	repair           repairs
	doctorInterval   time.Duration
	evictInterval    time.Duration
	drain            time.Duration
}

func (f *controllerFlags) add(command *cobra.Command) {
	command.Flags().DurationVar(&f.propagationDelay, "ca-propagation-delay", certs.DefaultPropagationDelay,
		"how long a new CA is published before it signs: the time that every API server is given to notice")
	command.Flags().StringSliceVar(&f.caFiles, "ca-files", nil,
		"with --cert-dir: files with the CAs to publish in the webhook configurations, in PEM; without any, somebody else publishes them")
	command.Flags().DurationVar(&f.drain, "drain", controller.DefaultDrain,
		"how long nothing must use a copy before it is deleted; more than the API server's --request-timeout, by what a webhook takes to answer and caches may be behind")
	command.Flags().BoolVar(&f.releaseStrays, "release-strays", false,
		"remove copies that have no Credential any more, however many they are, and also while the resource Credential is missing or being deleted")
	command.Flags().BoolVar(&f.restartWorkloads, "restart-workloads", false,
		"restart the workloads that read changed values through environment variables, for credentials with rotation.restart")
	f.repair.add(command.Flags())
	command.Flags().DurationVar(&f.doctorInterval, "doctor-interval", time.Minute,
		"how often is looked for pods that were not injected or lack a registry login")
	command.Flags().DurationVar(&f.evictInterval, "evict-interval", 5*time.Minute,
		"how long a workload is left alone after one of its pods was evicted, and every workload after the start")
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
	addFetchFlags(command.Flags(), &process.fetch)
	flags.add(command)
	flags.serving.add(command.Flags())
	return command
}

// runController works until stop is done and the drain of its reviews is over. So the
// leader leads as long as it is asked about deletes.
func runController(stop context.Context, p *process, flags *controllerFlags) error {
	log, config, clientset, err := p.connect(controllerAccount)
	if err != nil {
		return err
	}
	front, ctx, cancel, err := newFront(stop, p, "controller", &flags.serving, clientset)
	if err != nil {
		return err
	}
	defer cancel()
	monitor := progress.NewMonitor(clock.RealClock{})
	config.Wrap(monitor.Transport)
	options := p.managerOptions(log)
	options.Cache = controller.CacheOptions()
	options.WebhookServer = front.server
	options.LeaderElection = true
	options.LeaderElectionID = controller.LeaseName
	options.LeaderElectionNamespace = p.layout.InstallNamespace
	options.LeaderElectionReleaseOnCancel = true // the process ends when the manager does
	mgr, err := ctrl.NewManager(config, options)
	if err != nil {
		return fmt.Errorf("making the manager: %w", err)
	}
	known, following, err := followCluster(ctx, mgr, p.layout, "controller")
	if err != nil {
		return err
	}
	index, workloads, err := followUsage(mgr)
	if err != nil {
		return err
	}
	if err := controller.Setup(ctx, mgr, controller.Options{
		Catalog: known, Feed: following, Usage: index, ReleaseStrays: flags.releaseStrays,
		Drain:   max(flags.drain, 1), // zero would be the default
		Restart: restart.Settings{Enabled: flags.restartWorkloads}, Progress: monitor,
		Workloads: workloads, Repair: controller.Repair{Carry: flags.repair.has(repairCarry), Evict: flags.repair.has(repairEvict)},
		Doctor:   doctor.Settings{Interval: flags.doctorInterval, Patience: flags.evictInterval, Fetch: &p.fetch},
		CABundle: cabundle.Settings{Name: p.fetch.CAConfigMap},
	}); err != nil {
		return err
	}
	if err := setupCertificates(mgr, p, flags, clientset); err != nil {
		return err
	}
	counter := &users.Counter{Index: index, Catalog: known, Feed: following}
	if err := serveDeletes(mgr, front, deletes.Options{Users: counter, Namespaces: mgr.GetCache(), Log: log.WithName("webhook")}); err != nil {
		return err
	}
	checks := front.checks()
	checks["usage"] = complete(index)
	if err := addChecks(mgr, following.Synced, checks); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("progress", monitor.Check); err != nil {
		return err
	}
	return front.run(ctx, mgr)
}

// setupCertificates has the controller do its part for the certificates of all processes.
// With certificates that somebody else makes, it makes none: two who write one bundle in
// turns would never end.
func setupCertificates(mgr manager.Manager, p *process, flags *controllerFlags, clientset kubernetes.Interface) error {
	publisher := &certs.Publisher{Files: flags.caFiles, Mutating: []string{kinds.ConfigurationName}}
	if flags.serving.certDir != "" {
		if len(flags.caFiles) == 0 {
			return nil
		}
		return certs.SetupPublisher(mgr, clientset, publisher)
	}
	if len(flags.caFiles) > 0 {
		return errors.New("--ca-files is for certificates that somebody else makes; name their folder by --cert-dir")
	}
	return certs.Setup(mgr, clientset, &certs.Rotator{
		Secret:   p.webhookCA(),
		Settings: certs.Settings{CommonName: "credence-webhook-ca", PropagationDelay: flags.propagationDelay},
	}, publisher)
}

// serveDeletes has a controller process decide about deletes, leading or not. Unlike
// other entries it is asked before its caches are complete: it allows then, and says
// so.
func serveDeletes(mgr manager.Manager, front *front, options deletes.Options) error {
	options.Registry = metrics.Registry
	handler, err := deletes.Handler(options)
	if err != nil {
		return err
	}
	mgr.GetWebhookServer().Register(deletes.Path, front.stopping(handler))
	return front.registerMetrics()
}

// followUsage gives a manager an index of who uses what. It follows the cluster on
// standbys too, so that a new leader knows at once.
func followUsage(mgr manager.Manager) (*usage.Index, *usage.Follower, error) {
	index := usage.NewIndex()
	follower, err := usage.Follow(mgr.GetConfig(), index, usage.Options{
		Log:        mgr.GetLogger().WithName("usage"),
		Registerer: metrics.Registry,
		Kinds:      workload.ThirdParty(),
		Mapper:     mgr.GetRESTMapper(),
	})
	if err != nil {
		return nil, nil, err
	}
	return index, follower, mgr.Add(follower)
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
