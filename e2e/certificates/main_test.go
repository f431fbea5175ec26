// SPDX-License-Identifier: Apache-2.0

// Package certificates tests Credence with serving certificates that somebody else
// makes: the real program and the real API server, and cert-manager's own injector.
package certificates

import (
	"os"
	"testing"

	"github.com/credence-dev/credence/e2e/local"
)

// base are the options of every cluster. Each test has its own.
var base local.Options

func TestMain(m *testing.M) {
	os.Exit(local.Suite{Options: func(_ string, options *local.Options) error {
		base = *options
		return nil
	}}.Main(m))
}
