// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"

	"k8s.io/client-go/rest"

	"github.com/credence-dev/credence/e2e/controlplane"
)

// Process is one of the processes of Credence, run by itself.
type Process struct {
	*credence
	metrics string
}

// ServiceAccount is a client configuration with the rights of one of Credence's
// service accounts, such as "credence-controller".
func (c *Cluster) ServiceAccount(name string) *rest.Config {
	config := c.plane.Config()
	config.Impersonate = rest.ImpersonationConfig{
		UserName: fmt.Sprintf("system:serviceaccount:%s:%s", InstallNamespace, name),
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + InstallNamespace, "system:authenticated"},
	}
	return config
}

// StartProcess starts a sub-command of the program, "webhook" or "controller", as
// its service account. It does not wait until the process is ready.
func (c *Cluster) StartProcess(command string, args ...string) (*Process, error) {
	name := "credence-" + command
	kubeconfig := filepath.Join(c.plane.Dir(), name+".kubeconfig")
	if err := controlplane.WriteKubeconfig(kubeconfig, c.ServiceAccount(name)); err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	health, metrics := onLoopback(ports[0]), onLoopback(ports[1])
	all := []string{command, "--health-bind-address=" + health, "--metrics-bind-address=" + metrics}
	all = append(all, "--cert-dns-names=localhost", "--serving-drain=0s")
	switch command {
	case "webhook":
		all = append(all, "--bind-address="+onLoopback(c.ports[0]))
	case "controller":
		all = append(all, "--bind-address="+onLoopback(c.ports[3]), "--drain=1s")
	}
	started, err := launch(c.options.Program, filepath.Join(c.plane.Dir(), "logs", name+".log"), kubeconfig, health, append(all, args...))
	if err != nil {
		return nil, err
	}
	process := &Process{started, metrics}
	c.apart = append(c.apart, process)
	return process, nil
}

// PID is the number of the process.
func (p *Process) PID() int { return p.command.Process.Pid }

// AwaitReady waits until the process calls itself ready. It fails when it ends.
func (p *Process) AwaitReady(ctx context.Context) error {
	return Poll(ctx, "the process to be ready", func(ctx context.Context) (bool, error) {
		return p.ready(ctx), p.running()
	})
}

// Metrics are those that the process serves, as text.
func (p *Process) Metrics(ctx context.Context) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.metrics+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

// Stop ends the process in order. Stopping twice is fine.
func (p *Process) Stop() { p.stop() }

// Kill ends the process at once, as a node that fails does.
func (p *Process) Kill() { p.kill() }

// AwaitCredentials waits until the API server lets Credentials be created, which
// takes the webhook and a bundle that it is trusted by.
func (c *Cluster) AwaitCredentials(ctx context.Context) error {
	return Poll(ctx, "Credentials to be admitted", func(ctx context.Context) (bool, error) {
		return c.admitsCredentials(ctx), nil
	})
}
