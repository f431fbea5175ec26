// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/credence-dev/credence/certs"
	"github.com/credence-dev/credence/serving"
)

// servingFlags say how a process serves admission reviews.
type servingFlags struct {
	address string
	names   []string
	certDir string
	drain   time.Duration
	clients serving.Clients
}

// add adds the flags. A controller's --drain is that of copies.
func (f *servingFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.address, "bind-address", ":9443", "the address that admission reviews are served at")
	flags.StringSliceVar(&f.names, "cert-dns-names", nil, "the names that API servers reach it by, without --cert-dir; the default is that of the process's Service")
	flags.StringVar(&f.certDir, "cert-dir", "",
		"a folder with tls.crt and tls.key to serve with, which somebody else keeps fresh; without it the certificate is signed by the CA that the controller makes")
	flags.DurationVar(&f.drain, "serving-drain", 15*time.Second, "how long to go on serving, asking clients to close their connections, before stopping")
	flags.StringVar(&f.clients.CAFile, "client-ca-file", "",
		"a file with the CA of the client certificates that API servers show, in PEM; without it everybody who reaches the address is answered")
	flags.StringSliceVar(&f.clients.Names, "client-names", nil,
		"the common names or DNS names of the client certificates that are admitted; the default is all that the CA has signed")
}

// front is the server of a process for admission reviews: how API servers reach it,
// and how it stops.
type front struct {
	process     string // as its metrics name it
	certificate *certs.Source
	server      ctrlwebhook.Server
	drain       *serving.Drain
}

// newFront makes the server of a process. What is returned with it is the context that
// the process works under: until stop is done and the drain is over.
func newFront(stop context.Context, p *process, name string, flags *servingFlags, clientset kubernetes.Interface) (*front, context.Context, context.CancelFunc, error) {
	certificate := flags.source(p, name, clientset)
	server, err := reviewServer(flags, certificate)
	if err != nil {
		return nil, nil, nil, err
	}
	drain, ctx, cancel := serving.NewDrain(stop, flags.drain, clock.RealClock{})
	return &front{process: name, certificate: certificate, server: server, drain: drain}, ctx, cancel, nil
}

// source is where the certificate of a process comes from.
func (f *servingFlags) source(p *process, name string, clientset kubernetes.Interface) *certs.Source {
	if f.certDir != "" {
		return certs.FromFiles(filepath.Join(f.certDir, corev1.TLSCertKey), filepath.Join(f.certDir, corev1.TLSPrivateKeyKey))
	}
	names := f.names
	if len(names) == 0 {
		names = []string{fmt.Sprintf("credence-%s.%s.svc", name, p.layout.InstallNamespace)}
	}
	return certs.SelfManaged(&certs.Authority{Client: clientset, Secret: p.webhookCA()}, names...)
}

// reviewServer is controller-runtime's server with our certificates. API servers
// speak HTTP/1.1 to webhooks; with HTTP/2, one connection would carry every
// request and die with one replica.
func reviewServer(flags *servingFlags, certificate *certs.Source) (ctrlwebhook.Server, error) {
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

// checks are what makes the server ready.
func (f *front) checks() map[string]healthz.Checker {
	return map[string]healthz.Checker{
		"certificate": f.certificate.Check, "serving": serving.Once(f.server.StartedChecker()), "not-stopping": f.drain.Ready,
	}
}

// registerMetrics adds those of the certificate.
func (f *front) registerMetrics() error {
	return certs.RegisterMetrics(metrics.Registry, f.process, f.certificate)
}

// stopping has clients close their connections while the process stops.
func (f *front) stopping(next http.Handler) http.Handler { return f.drain.Handler(next) }

// run runs the manager that the server is part of. The manager would start the
// certificate behind the caches. Who comes before they are complete is to be told so.
func (f *front) run(ctx context.Context, mgr manager.Manager) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.certificate.Start(ctx) })
	group.Go(func() error { return mgr.Start(ctx) })
	return group.Wait()
}
