// SPDX-License-Identifier: Apache-2.0

package guide

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/credence-dev/credence/e2e/controlplane"
	"github.com/credence-dev/credence/e2e/local"
)

const (
	pages = "../../docs/guide"

	// auditPolicy has what is asked for recorded, without what is in it.
	auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
`
)

// cluster is what the tests run in, options what it was made with, auditLog what was
// asked of it.
var (
	cluster  *local.Cluster
	options  local.Options
	auditLog string
)

func TestMain(m *testing.M) {
	// The commands of the guide find this program under other names.
	switch filepath.Base(os.Args[0]) {
	case "kubectl":
		kubectl()
	case "helm":
		helm()
	}
	os.Exit(local.Suite{
		Options: configure,
		Started: func(_ context.Context, started *local.Cluster) error {
			cluster = started
			return nil
		},
	}.Main(m))
}

func configure(dir string, changed *local.Options) error {
	auditLog = filepath.Join(dir, "audit.log")
	policy := filepath.Join(dir, "audit.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	changed.Plane.Audit = &controlplane.Audit{Policy: policy, Log: auditLog}
	changed.Values = map[string]any{"rotation": map[string]any{"restarts": true}}
	changed.Args = []string{"--restart-workloads"}
	options = *changed
	return nil
}
