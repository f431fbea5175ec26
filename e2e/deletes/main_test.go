// SPDX-License-Identifier: Apache-2.0

// Package deletes tests what keeps things in use from being deleted, and what must
// never be kept: by the real program and chart on a real control plane, with every
// process running, with a standby alone, and with every process dead.
package deletes

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/credence-dev/credence/e2e/local"
)

// Deadlines. They bound what hangs; nothing waits for them.
const (
	startWithin = 30 * time.Minute // the programs may have to be compiled
	within      = time.Minute
	pollEvery   = 50 * time.Millisecond
)

// cluster is shared by the tests, and webhook and controller run in it: no test that
// follows TestWithoutAnyProcess finds them.
var (
	cluster             *local.Cluster
	webhook, controller *local.Process
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	log.SetLogger(logr.Discard())
	dir, err := os.MkdirTemp("", "credence-deletes-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	options, err := local.ForTests(ctx, dir)
	if err != nil {
		return fail(err)
	}
	options.Apart = true
	if cluster, err = local.Start(ctx, options); err != nil {
		return fail(err)
	}
	defer func() {
		if err := cluster.Stop(); err != nil {
			code = fail(err)
		}
	}()
	if controller, err = startController(ctx); err != nil {
		return fail(err)
	}
	if webhook, err = cluster.StartProcess("webhook"); err != nil {
		return fail(err)
	}
	if err := cluster.AwaitCredentials(ctx); err != nil {
		return fail(err)
	}
	if err := prepare(ctx); err != nil {
		return fail(err)
	}
	return m.Run()
}

func startController(ctx context.Context) (*local.Process, error) {
	process, err := cluster.StartProcess("controller", "--ca-propagation-delay=1s")
	if err != nil {
		return nil, err
	}
	return process, process.AwaitReady(ctx)
}

func fail(err error) int {
	_, _ = fmt.Fprintln(os.Stderr, err)
	return 1
}
