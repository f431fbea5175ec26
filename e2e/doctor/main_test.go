// SPDX-License-Identifier: Apache-2.0

// Package doctor tests that what admission did not do is found, told and put right,
// with the real controllers of Kubernetes.
package doctor

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

// cluster is what the tests run in, and program the program.
var (
	cluster *local.Cluster
	program string
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute) // the programs may have to be compiled
	defer cancel()
	dir, err := os.MkdirTemp("", "credence-doctor-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	options, err := local.ForTests(ctx, dir)
	if err != nil {
		return fail(err)
	}
	log.SetLogger(logr.Discard())
	program = options.Program
	options.Apart = true
	options.Values = map[string]any{"repair": []any{"evict"}}
	if cluster, err = local.Start(ctx, options); err != nil {
		return fail(err)
	}
	defer func() {
		if err := cluster.Stop(); err != nil {
			code = fail(err)
		}
	}()
	return m.Run()
}

func fail(err error) int {
	_, _ = fmt.Fprintln(os.Stderr, err)
	return 1
}
