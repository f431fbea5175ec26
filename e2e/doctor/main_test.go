// SPDX-License-Identifier: Apache-2.0

// Package doctor tests that what admission did not do is found, told and put right,
// with the real controllers of Kubernetes.
package doctor

import (
	"context"
	"os"
	"testing"

	"github.com/credence-dev/credence/e2e/local"
)

// cluster is what the tests run in, and program the program.
var (
	cluster *local.Cluster
	program string
)

func TestMain(m *testing.M) {
	os.Exit(local.Suite{
		Options: func(_ string, options *local.Options) error {
			program = options.Program
			options.Apart = true
			options.Values = map[string]any{"repair": []any{"evict"}}
			return nil
		},
		Started: func(_ context.Context, started *local.Cluster) error {
			cluster = started
			return nil
		},
	}.Main(m))
}
