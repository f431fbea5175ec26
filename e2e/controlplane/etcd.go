// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
)

func (c *ControlPlane) startEtcd(ctx context.Context) error {
	health, err := c.etcdClient()
	if err != nil {
		return err
	}
	defer health.CloseIdleConnections()
	return retryOtherPort(func() (err error) {
		if c.etcdPort, err = freePort(); err != nil {
			return err
		}
		if c.etcd, err = launch("etcd", c.options.Programs.Etcd, c.logPath("etcd"), c.etcdArgs()); err != nil {
			return err
		}
		return c.etcd.await(ctx, func(ctx context.Context) error { return getOK(ctx, health, c.etcdURL()+"/health") })
	})
}

func (c *ControlPlane) etcdURL() string { return "https://" + onLoopback(c.etcdPort) }

func (c *ControlPlane) etcdArgs() []string {
	return []string{
		"--data-dir=" + c.path("etcd"),
		// The data need not outlive the machine's power.
		"--unsafe-no-fsync",
		"--listen-client-urls=" + c.etcdURL(),
		"--advertise-client-urls=" + c.etcdURL(),
		// There are no peers: any free port will do, nobody is told.
		"--listen-peer-urls=http://" + onLoopback(0),
		"--client-cert-auth",
		"--trusted-ca-file=" + c.path("pki", "etcd-ca.crt"),
		"--cert-file=" + c.path("pki", "etcd.crt"),
		"--key-file=" + c.path("pki", "etcd.key"),
		// As kubeadm: fresh watch caches let the API server answer
		// consistent lists without asking etcd.
		"--watch-progress-notify-interval=5s",
		"--log-level=warn",
	}
}

// Etcd returns the address of etcd and a client that it accepts. Besides gRPC it
// speaks JSON there (https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/), which
// is enough to bring objects in without the API server.
func (c *ControlPlane) Etcd() (url string, client *http.Client, err error) {
	client, err = c.etcdClient()
	return c.etcdURL(), client, err
}

func (c *ControlPlane) etcdClient() (*http.Client, error) {
	pair, err := readKeyPair(c.path("pki"), "etcd-client")
	if err != nil {
		return nil, fmt.Errorf("reading the client certificate of etcd: %w", err)
	}
	certificate, err := tls.X509KeyPair(pair.certificate, pair.key)
	if err != nil {
		return nil, fmt.Errorf("reading the client certificate of etcd: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(c.etcdCA.certificate)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}}, nil
}

// getOK fails unless url answers with 200.
func getOK(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
