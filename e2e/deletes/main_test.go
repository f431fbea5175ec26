// SPDX-License-Identifier: Apache-2.0

// Package deletes tests what keeps things in use from being deleted, and what must
// never be kept: by the real program and chart on a real control plane, with every
// process running, with a standby alone, and with every process dead.
package deletes

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/credence-dev/credence/e2e/local"
)

// Deadlines. They bound what hangs; nothing waits for them.
const (
	within    = time.Minute
	pollEvery = 50 * time.Millisecond
)

// cluster is shared by the tests, and webhook and controller run in it: no test that
// follows TestWithoutAnyProcess finds them.
var (
	cluster             *local.Cluster
	webhook, controller *local.Process
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

func begin(ctx context.Context, started *local.Cluster) (err error) {
	cluster = started
	if controller, err = startController(ctx); err != nil {
		return err
	}
	if webhook, err = cluster.StartProcess("webhook"); err != nil {
		return err
	}
	if err := cluster.AwaitCredentials(ctx); err != nil {
		return err
	}
	return prepare(ctx)
}

func startController(ctx context.Context) (*local.Process, error) {
	process, err := cluster.StartProcess("controller", "--ca-propagation-delay=1s")
	if err != nil {
		return nil, err
	}
	return process, process.AwaitReady(ctx)
}
