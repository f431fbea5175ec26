// SPDX-License-Identifier: Apache-2.0

// Package workloads tests annotations on workloads with the real controllers of
// Kubernetes: what is carried, what is rolled out, and that nothing is without end.
package workloads

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

// cluster is what the tests run in.
var cluster *local.Cluster

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	log.SetLogger(logr.Discard())
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute) // the programs may have to be compiled
	defer cancel()
	dir, err := os.MkdirTemp("", "credence-workloads-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	options, err := local.ForTests(ctx, dir)
	if err != nil {
		return fail(err)
	}
	options.Apart = true
	options.Values = map[string]any{"repair": []any{"carry"}}
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
