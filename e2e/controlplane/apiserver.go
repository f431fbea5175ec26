// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// startFirstAPIServer decides on the port of the API server, which stays.
func (c *ControlPlane) startFirstAPIServer(ctx context.Context) (err error) {
	if c.loopback, err = openLoopbackGate(); err != nil {
		return err
	}
	if err := c.loopback.writeConfig(c.path("egress.yaml")); err != nil {
		return err
	}
	if c.options.Port != 0 {
		return c.startAPIServerAt(ctx, c.options.Port)
	}
	return retryOtherPort(func() error {
		port, err := freePort()
		if err != nil {
			return err
		}
		return c.startAPIServerAt(ctx, port)
	})
}

func (c *ControlPlane) startAPIServerAt(ctx context.Context, port int) (err error) {
	c.apiServerPort = port
	if c.admin, err = c.ConfigFor("admin", "system:masters"); err != nil {
		return err
	}
	return c.StartAPIServer(ctx)
}

// StopAPIServer ends the API server alone. The other programs, and all objects,
// stay; StartAPIServer brings it back at the same address.
func (c *ControlPlane) StopAPIServer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.apiServer.stop(apiServerGrace)
}

// StartAPIServer starts the API server after StopAPIServer and returns when it
// serves requests.
func (c *ControlPlane) StartAPIServer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.apiServer.running() {
		return errors.New("the API server runs already")
	}
	var err error
	c.apiServer, err = launch("kube-apiserver", c.options.Programs.APIServer, c.logPath("kube-apiserver"), c.apiServerArgs())
	if err != nil {
		return err
	}
	client, err := c.clientset()
	if err != nil {
		return err
	}
	return c.apiServer.await(ctx, func(ctx context.Context) error {
		if _, err := client.RESTClient().Get().AbsPath("/readyz").DoRaw(ctx); err != nil {
			return fmt.Errorf("asking whether the API server is ready: %w", err)
		}
		// Made by the API server itself soon after it calls itself ready.
		_, err := client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceDefault, metav1.GetOptions{})
		return err
	})
}

func (c *ControlPlane) apiServerArgs() []string {
	pki := func(name string) string { return c.path("pki", name) }
	args := []string{
		"--bind-address=" + loopback,
		fmt.Sprintf("--secure-port=%d", c.apiServerPort),
		// An address must be told, and no Endpoints may hold a loopback one:
		// tell one that leads nowhere, so that a machine without any network
		// will do, and publish no endpoint of the Service kubernetes.
		"--advertise-address=" + ThisMachine,
		"--endpoint-reconciler-type=none",
		"--tls-cert-file=" + pki("apiserver.crt"),
		"--tls-private-key-file=" + pki("apiserver.key"),

		"--etcd-servers=" + c.etcdURL(),
		"--etcd-cafile=" + pki("etcd-ca.crt"),
		"--etcd-certfile=" + pki("etcd-client.crt"),
		"--etcd-keyfile=" + pki("etcd-client.key"),

		"--anonymous-auth=false",
		"--client-ca-file=" + pki("cluster-ca.crt"),
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + pki("service-accounts.key"),
		"--service-account-signing-key-file=" + pki("service-accounts.key"),

		"--service-cluster-ip-range=10.96.0.0/16",
		// Webhooks are reached at their EndpointSlices: there is no kube-proxy.
		"--enable-aggregator-routing=true",
		"--egress-selector-config-file=" + c.path("egress.yaml"),
		"--allow-privileged=true",
		"--profiling=false",
	}
	if !c.options.ControllerManager {
		// It would refuse every pod: nobody makes the service accounts.
		args = append(args, "--disable-admission-plugins=ServiceAccount")
	}
	if audit := c.options.Audit; audit != nil {
		args = append(args, "--audit-policy-file="+audit.Policy, "--audit-log-path="+audit.Log)
	}
	return append(args, c.options.APIServerArgs...)
}
