// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/credence-dev/credence/e2e/local"
)

// factor makes the benchmarks smaller, to try them out.
var factor = flag.Float64("scale", 1, "the share of the full size that the benchmarks run at")

// scaled is a number of objects at the size that is asked for.
func scaled(full int) int { return max(1, int(float64(full)**factor)) }

// options are those of every cluster, but for the folder of its control plane.
var options local.Options

func TestMain(m *testing.M) {
	os.Exit(local.Suite{Options: func(_ string, made *local.Options) error {
		options = *made
		options.Apart = true
		// Its controllers would be busy with what the benchmarks make, on the same
		// processors. What Credence needs of them, such as service accounts, it does
		// without here.
		options.Plane.ControllerManager = false
		return nil
	}}.Main(m))
}

// cluster is a control plane with the chart, and without any process of Credence
// at first.
type cluster struct {
	*local.Cluster
	clientset kubernetes.Interface
	running   []*local.Process
	// quiet is how long nothing of Credence's may have been asked for, for the cluster
	// to count as settled.
	quiet time.Duration
}

// start starts a cluster that the end of the test or benchmark stops.
func start(tb testing.TB) *cluster {
	tb.Helper()
	own := options
	own.Plane.Dir = filepath.Join(tb.TempDir(), "plane")
	started, err := local.Start(tb.Context(), own)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := started.Stop(); err != nil {
			tb.Error(err)
		}
	})
	clientset, err := kubernetes.NewForConfig(started.Plane().Config())
	if err != nil {
		tb.Fatal(err)
	}
	return &cluster{Cluster: started, clientset: clientset, quiet: 4 * time.Second}
}

// startProcess starts a process of Credence and returns it when it is ready, with
// how long that took.
func (c *cluster) startProcess(tb testing.TB, command string) (*local.Process, time.Duration) {
	tb.Helper()
	begin := time.Now()
	process, err := c.StartProcess(command)
	if err == nil {
		c.running = append(c.running, process)
		err = process.AwaitReady(tb.Context())
	}
	if err != nil {
		tb.Fatalf("starting the %s: %v", command, err)
	}
	return process, time.Since(begin)
}

// startCredence starts both processes and waits until Credentials can be created,
// which takes both.
func (c *cluster) startCredence(tb testing.TB) (controller, webhook *local.Process) {
	tb.Helper()
	controller, _ = c.startProcess(tb, "controller")
	webhook, _ = c.startProcess(tb, "webhook")
	if err := c.AwaitCredentials(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return controller, webhook
}

// stopCredence ends what runs.
func (c *cluster) stopCredence() {
	for _, process := range c.running {
		process.Stop()
	}
	c.running = nil
}
