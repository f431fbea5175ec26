// SPDX-License-Identifier: Apache-2.0

// Package uninstall tests what is left when Credence is uninstalled: nothing that
// blocks the cluster, and all that another installation needs. The chart's hook runs as
// Helm would run it, with its own rights, on a real control plane.
package uninstall

import (
	"context"
	"os"
	"testing"

	"github.com/credence-dev/credence/e2e/local"
)

var cluster *local.Cluster

func TestMain(m *testing.M) {
	os.Exit(local.Suite{
		Options: func(_ string, options *local.Options) error {
			// So that whatever looks like a rotation would restart workloads.
			options.Args = []string{"--restart-workloads"}
			options.Values = map[string]any{"rotation": map[string]any{"restarts": true}}
			return nil
		},
		Started: func(_ context.Context, started *local.Cluster) error {
			cluster = started
			return nil
		},
	}.Main(m))
}
