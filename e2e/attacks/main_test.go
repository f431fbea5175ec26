// SPDX-License-Identifier: Apache-2.0

// Package attacks tries what docs/threat-model.md says is not possible: by the real
// program and chart on a real control plane, every process and every person with their
// own rights and no more.
package attacks

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/credence-dev/credence/e2e/local"
)

// Deadlines. They bound what hangs; nothing waits for them.
const (
	within    = 2 * time.Minute
	pollEvery = 50 * time.Millisecond
)

// cluster is shared by the tests, and so are the processes of Credence.
var (
	cluster    *local.Cluster
	controller *local.Process
)

func TestMain(m *testing.M) {
	os.Exit(local.Suite{
		Options: func(_ string, options *local.Options) error {
			options.Apart = true
			return nil
		},
		Started: begin,
	}.Main(m))
}

func begin(ctx context.Context, started *local.Cluster) error {
	cluster = started
	if err := startController(ctx); err != nil {
		return err
	}
	if _, err := cluster.StartProcess("webhook"); err != nil {
		return err
	}
	if err := cluster.AwaitCredentials(ctx); err != nil {
		return err
	}
	return prepare(ctx)
}

func startController(ctx context.Context) (err error) {
	if controller, err = cluster.StartProcess("controller", "--ca-propagation-delay=1s"); err != nil {
		return err
	}
	return controller.AwaitReady(ctx)
}
