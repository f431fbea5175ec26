// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/credence-dev/credence/certs"
	"github.com/credence-dev/credence/serving"
	"github.com/credence-dev/credence/webhook"
)

// webhookFlags are the flags of the admission process.
type webhookFlags struct {
	address string
	names   []string
	drain   time.Duration
	clients serving.Clients
}

func (f *webhookFlags) add(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&f.address, "bind-address", ":9443", "the address that admission reviews are served at")
	flags.StringSliceVar(&f.names, "cert-dns-names", nil, "the names that API servers reach the webhook by; the default is that of its Service")
	flags.DurationVar(&f.drain, "drain", 15*time.Second, "how long to go on serving, asking clients to close their connections, before stopping")
	flags.StringVar(&f.clients.CAFile, "client-ca-file", "",
		"a file with the CA of the client certificates that API servers show, in PEM; without it everybody who reaches the address is answered")
	flags.StringSliceVar(&f.clients.Names, "client-names", nil,
		"the common names or DNS names of the client certificates that are admitted; the default is all that the CA has signed")
}

// newWebhookCommand makes "credence webhook": admission of pods.
func newWebhookCommand() *cobra.Command {
	process, flags := newProcess(), &webhookFlags{}
	command := &cobra.Command{
		Use:   "webhook",
		Short: "Serve the admission webhooks",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runWebhook(cmd.Context(), process, flags)
		},
	}
	process.addFlags(command)
	flags.add(command)
	return command
}

// runWebhook serves until stop is done and the drain is over.
func runWebhook(stop context.Context, p *process, flags *webhookFlags) error {
	log, config, clientset, err := p.connect(webhookAccount)
	if err != nil {
		return err
	}
	drain, ctx, cancel := serving.NewDrain(stop, flags.drain, clock.RealClock{})
	defer cancel()

	names := flags.names
	if len(names) == 0 {
		names = []string{fmt.Sprintf("credence-webhook.%s.svc", p.layout.InstallNamespace)}
	}
	certificate := certs.SelfManaged(&certs.Authority{
		Client: clientset,
		Secret: p.webhookCA(),
	}, names...)

	options := p.managerOptions(log)
	if options.WebhookServer, err = webhookServer(flags, certificate); err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(config, options)
	if err != nil {
		return fmt.Errorf("making the manager: %w", err)
	}
	known, following, err := followCluster(ctx, mgr, p.layout)
	if err != nil {
		return err
	}
	server := mgr.GetWebhookServer()
	err = webhook.Register(server, webhook.Options{
		Catalog: known, Live: mgr.GetAPIReader(), Log: log.WithName("webhook"), Registry: metrics.Registry,
	}, func(next http.Handler) http.Handler { return drain.Handler(serving.WhenReady(following.Synced, next)) })
	if err != nil {
		return err
	}
	if err := certs.RegisterMetrics(metrics.Registry, "webhook", certificate); err != nil {
		return err
	}
	err = addChecks(mgr, following, map[string]healthz.Checker{
		"certificate": certificate.Check, "serving": serving.Once(server.StartedChecker()), "not-stopping": drain.Ready,
	})
	if err != nil {
		return err
	}
	// The manager would start the certificate behind the caches. Who comes before they
	// are complete is to be told so.
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return certificate.Start(ctx) })
	group.Go(func() error { return mgr.Start(ctx) })
	return group.Wait()
}

// webhookServer is controller-runtime's server with our certificates. API servers
// speak HTTP/1.1 to webhooks; with HTTP/2, one connection would carry every
// request and die with one replica.
func webhookServer(flags *webhookFlags, certificate *certs.Source) (ctrlwebhook.Server, error) {
	host, portText, err := net.SplitHostPort(flags.address)
	if err != nil {
		return nil, fmt.Errorf("bind address %q: %w", flags.address, err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("bind address %q: the port must be a number", flags.address)
	}
	if err := flags.clients.Configure(&tls.Config{}); err != nil { // fails now rather than when it serves
		return nil, err
	}
	return ctrlwebhook.NewServer(ctrlwebhook.Options{
		Host: host, Port: port,
		TLSOpts: []func(*tls.Config){func(c *tls.Config) {
			c.GetCertificate = certificate.GetCertificate
			c.NextProtos = []string{"http/1.1"}
			c.MinVersion = tls.VersionTLS12
			_ = flags.clients.Configure(c) // it did not fail above; if it does now, nobody may connect
		}},
	}), nil
}
