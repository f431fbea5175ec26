// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/injector/fetch"
)

// Service accounts, by process. The chart makes them and binds their rights.
const (
	webhookAccount    = "credence-webhook"
	controllerAccount = "credence-controller"
)

// webhookCASecret is the CA Secret of the admission webhooks, in the install
// namespace.
const webhookCASecret = "credence-webhook-ca"

// shutdownGrace is how long a manager may take to stop behind the drain.
const shutdownGrace = 30 * time.Second

// process is what the processes have in common.
type process struct {
	layout         credential.Layout
	clusterName    string
	logLevel       string
	metricsAddress string
	healthAddress  string
	// fetch says with what data sources are fetched, for the webhook.
	fetch fetch.Settings
	// impersonate runs each process as its own service account, whoever's
	// kubeconfig is used: with the rights that it has in a cluster, and no more.
	impersonate bool
}

func newProcess() *process {
	return &process{layout: credential.DefaultLayout(), fetch: fetch.Default()}
}

func (p *process) addFlags(command *cobra.Command) {
	flags := command.Flags()
	addLayoutFlags(flags, &p.layout)
	flags.StringVar(&p.clusterName, "cluster-name", "kubernetes", "the name of the cluster; nothing shows it yet, the API and the tables that are planned will")
	flags.StringVar(&p.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&p.metricsAddress, "metrics-bind-address", ":8080", "the address of the metrics; 0 serves none")
	flags.StringVar(&p.healthAddress, "health-bind-address", ":8081", "the address of /healthz and /readyz; 0 serves none")
}

// config returns the client configuration for a service account's process.
func (p *process) config(account string) (*rest.Config, error) {
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("finding a cluster: %w", err)
	}
	config = rest.CopyConfig(config)
	config.QPS = -1 // the API server's fairness decides, for it knows the load
	config.UserAgent = "credence/" + version + " " + account
	if p.impersonate {
		config.Impersonate = rest.ImpersonationConfig{
			UserName: fmt.Sprintf("system:serviceaccount:%s:%s", p.layout.InstallNamespace, account),
			Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + p.layout.InstallNamespace, "system:authenticated"},
		}
	}
	return config, nil
}

// connect gives a process its log and its ways to the cluster.
func (p *process) connect(account string) (logr.Logger, *rest.Config, kubernetes.Interface, error) {
	log, err := p.setupLogging()
	if err != nil {
		return logr.Logger{}, nil, nil, err
	}
	config, err := p.config(account)
	if err != nil {
		return logr.Logger{}, nil, nil, err
	}
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return logr.Logger{}, nil, nil, fmt.Errorf("making a client: %w", err)
	}
	return log, config, clientset, nil
}

// webhookCA is the CA Secret of the admission webhooks.
func (p *process) webhookCA() types.NamespacedName {
	return types.NamespacedName{Namespace: p.layout.InstallNamespace, Name: webhookCASecret}
}

// managerOptions are those that every process has.
func (p *process) managerOptions(log logr.Logger) ctrl.Options {
	grace := shutdownGrace
	return ctrl.Options{
		Scheme:                  scheme(),
		Logger:                  log,
		Cache:                   feed.LeanCacheOptions(),
		Metrics:                 metricsserver.Options{BindAddress: p.metricsAddress},
		HealthProbeBindAddress:  p.healthAddress,
		GracefulShutdownTimeout: &grace,
	}
}

func scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // the types are compiled in: this fails always or never
		}
	}
	return scheme
}

// followCluster gives the manager of a process a catalog that follows the cluster.
func followCluster(ctx context.Context, mgr manager.Manager, layout credential.Layout, process string) (*catalog.Catalog, *feed.Feed, error) {
	known := catalog.New(layout)
	following, err := feed.Start(ctx, mgr.GetCache(), known)
	if err != nil {
		return nil, nil, err
	}
	return known, following, feed.ObserveLag(metrics.Registry, process, following, clock.RealClock{})
}

// addChecks adds the liveness check and the readiness checks, of which one is that the
// caches are complete.
func addChecks(mgr manager.Manager, synced func() bool, ready map[string]healthz.Checker) error {
	if err := mgr.AddHealthzCheck("alive", healthz.Ping); err != nil {
		return err
	}
	ready["caches"] = func(*http.Request) error {
		if !synced() {
			return errors.New("the caches are not complete yet")
		}
		return nil
	}
	for name, check := range ready {
		if err := mgr.AddReadyzCheck(name, check); err != nil {
			return err
		}
	}
	return nil
}
