// SPDX-License-Identifier: Apache-2.0

// Package admission tests the admission of pods by a real API server with the real
// program, chart and rights.
package admission

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/credence-dev/credence/e2e/local"
)

// propagationDelay is how long the next CA is published before it signs.
const propagationDelay = time.Second

// cluster is shared by the tests; each has namespaces of its own.
var cluster *local.Cluster

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute) // the programs may have to be compiled
	defer cancel()
	dir, err := os.MkdirTemp("", "credence-admission-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	options, err := local.ForTests(ctx, dir)
	if err != nil {
		return fail(err)
	}
	options.Args = []string{"--ca-propagation-delay=" + propagationDelay.String()}
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
