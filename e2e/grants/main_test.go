// SPDX-License-Identifier: Apache-2.0

// Package grants tests that the chart gives the service accounts the rights that
// they use, and no others. The real program does all that it can do, and the audit
// log of the API server says what it asked for.
package grants

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/credence-dev/credence/e2e/controlplane"
	"github.com/credence-dev/credence/e2e/local"
)

// auditPolicy has all requests recorded, without what is in them.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
`

// trust is the ConfigMap of certificates that data is fetched with.
const trust = "trust"

// cluster is what the test runs in, and auditLog what was asked of it.
var (
	cluster  *local.Cluster
	auditLog string
)

func TestMain(m *testing.M) {
	os.Exit(local.Suite{
		Options: configure,
		Started: func(_ context.Context, started *local.Cluster) error {
			cluster = started
			return nil
		},
	}.Main(m))
}

func configure(dir string, options *local.Options) error {
	// Informers ask for a stream, and for a list and a watch where the API server or an
	// administrator says no to that: then they need the right to list.
	if err := os.Setenv("KUBE_FEATURE_WatchListClient", "false"); err != nil {
		return err
	}
	auditLog = filepath.Join(dir, "audit.log")
	policy := filepath.Join(dir, "audit.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	options.Plane.Audit = &controlplane.Audit{Policy: policy, Log: auditLog}
	options.Values = map[string]any{
		"rotation": map[string]any{"restarts": true}, "repair": []any{"carry", "evict"},
		"webhook": map[string]any{"fetch": map[string]any{"caConfigMap": trust}},
	}
	options.Args = []string{
		"--ca-propagation-delay=1s", "--restart-workloads", "--repair=carry,evict", "--ca-config-map=" + trust,
		"--doctor-interval=1s", "--evict-interval=1s",
	}
	return nil
}
