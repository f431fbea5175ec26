// SPDX-License-Identifier: Apache-2.0

// Package admission tests the admission of pods by a real API server with the real
// program, chart and rights.
package admission

import (
	"context"
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
	os.Exit(local.Suite{
		Options: func(_ string, options *local.Options) error {
			options.Args = []string{"--ca-propagation-delay=" + propagationDelay.String()}
			return nil
		},
		Started: func(_ context.Context, started *local.Cluster) error {
			cluster = started
			return nil
		},
	}.Main(m))
}
