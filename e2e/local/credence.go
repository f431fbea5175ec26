// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Deadlines. They bound what hangs; nothing waits for them.
const (
	readyWithin = time.Minute
	stopWithin  = 20 * time.Second
)

// credence is the program with all of its processes in one.
type credence struct {
	command *exec.Cmd
	log     string
	health  string
	ended   chan struct{}
	err     error
}

// startCredence starts "credence all", each part with the rights of its own
// service account. ports are those of the webhook, health, metrics and the reviews
// of deletes.
func startCredence(options Options, dir, kubeconfig string, ports []int) (*credence, error) {
	health := onLoopback(ports[1])
	return launch(options.Program, filepath.Join(dir, "logs", "credence.log"), kubeconfig, health, append([]string{
		"all", "--impersonate",
		"--bind-address=" + onLoopback(ports[0]), "--cert-dns-names=localhost", "--serving-drain=0s", "--drain=1s",
		"--health-bind-address=" + health, "--metrics-bind-address=" + onLoopback(ports[2]),
		"--controller-bind-address=" + onLoopback(ports[3]),
	}, options.Args...))
}

func onLoopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// launch starts the program. What it says is appended to the file log.
func launch(program, log, kubeconfig, health string, args []string) (*credence, error) {
	c := &credence{log: log, health: health, ended: make(chan struct{})}
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("making the log: %w", err)
	}
	defer out.Close()
	c.command = exec.Command(program, args...)
	c.command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	c.command.Stdout, c.command.Stderr = out, out
	// Ctrl-C goes to the whole process group; this child is stopped in order.
	c.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.command.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	go func() {
		c.err = c.command.Wait()
		close(c.ended)
	}()
	return c, nil
}

// running fails when the program has ended.
func (c *credence) running() error {
	select {
	case <-c.ended:
		return fmt.Errorf("credence ended, see %s: %w", c.log, errors.Join(errors.New("it should run"), c.err))
	default:
		return nil
	}
}

// ready asks the readiness probe.
func (c *credence) ready(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.health+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (c *credence) stop() {
	_ = c.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
	case <-time.After(stopWithin):
		c.kill()
	}
}

func (c *credence) kill() {
	_ = c.command.Process.Kill()
	<-c.ended
}

// bundlePublished says whether it stands in every entry whom to trust.
func (c *Cluster) bundlePublished(ctx context.Context) (bool, error) {
	key := client.ObjectKey{Name: "credence"}
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{}
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := errors.Join(c.client.Get(ctx, key, mutating), c.client.Get(ctx, key, validating)); err != nil {
		return false, err
	}
	for _, entry := range mutating.Webhooks {
		if len(entry.ClientConfig.CABundle) == 0 {
			return false, nil
		}
	}
	for _, entry := range validating.Webhooks {
		if len(entry.ClientConfig.CABundle) == 0 {
			return false, nil
		}
	}
	return true, nil
}

func (c *Cluster) admitsCredentials(ctx context.Context) bool {
	return AdmitsCredentials(ctx, c.client)
}

// AdmitsCredentials says whether the API server has read that, too: it watches its
// webhook configurations. Until then no Credential can be created.
func AdmitsCredentials(ctx context.Context, kube client.Client) bool {
	probe := &v1alpha1.Credential{}
	probe.Namespace, probe.Name = "default", "probe"
	probe.Spec.Type, probe.Spec.Scope.Level, probe.Spec.SecretRef.Name = v1alpha1.Generic, v1alpha1.ScopeProject, "probe"
	err := kube.Create(ctx, probe, client.DryRunAll)
	return err == nil && probe.Annotations[v1alpha1.AnnotationCreatedBy] != ""
}

// Poll asks until it is so, for a minute at most. An error ends it.
func Poll(ctx context.Context, what string, condition wait.ConditionWithContextFunc) error {
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, readyWithin, true, condition)
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", what, err)
	}
	return nil
}

// freePorts returns ports of this machine's loopback address that nothing listens
// on.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer listener.Close()
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}
