// SPDX-License-Identifier: Apache-2.0

// Package workloads tests annotations on workloads with the real controllers of
// Kubernetes: what is carried, what is rolled out, and that nothing is without end.
package workloads

import (
	"context"
	"os"
	"testing"

	"github.com/credence-dev/credence/e2e/local"
)

// cluster is what the tests run in.
var cluster *local.Cluster

func TestMain(m *testing.M) {
	os.Exit(local.Suite{
		Options: func(_ string, options *local.Options) error {
			options.Apart = true
			options.Values = map[string]any{"repair": []any{"carry"}}
			return nil
		},
		Started: func(_ context.Context, started *local.Cluster) error {
			cluster = started
			return nil
		},
	}.Main(m))
}
