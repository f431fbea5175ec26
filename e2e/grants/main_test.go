// SPDX-License-Identifier: Apache-2.0

// Package grants tests that the chart gives the service accounts the rights that
// they use, and no others. The real program does all that it can do, and the audit
// log of the API server says what it asked for.
package grants

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

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

// cluster is what the test runs in, and auditLog what was asked of it.
var (
	cluster  *local.Cluster
	auditLog string
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute) // the programs may have to be compiled
	defer cancel()
	dir, err := os.MkdirTemp("", "credence-grants-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	options, err := local.ForTests(ctx, dir)
	if err != nil {
		return fail(err)
	}
	// Informers ask for a stream, and for a list and a watch where the API server or an
	// administrator says no to that: then they need the right to list.
	if err := os.Setenv("KUBE_FEATURE_WatchListClient", "false"); err != nil {
		return fail(err)
	}
	auditLog = filepath.Join(dir, "audit.log")
	policy := filepath.Join(dir, "audit.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return fail(err)
	}
	options.Plane.Audit = &controlplane.Audit{Policy: policy, Log: auditLog}
	options.Values = map[string]any{"rotation": map[string]any{"restarts": true}, "repair": []any{"carry"}}
	options.Args = []string{"--ca-propagation-delay=1s", "--restart-workloads", "--repair=carry"}
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
