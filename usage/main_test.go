// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"os"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/credence-dev/credence/apitest"
)

var apiServer apitest.Shared

func TestMain(m *testing.M) { os.Exit(apiServer.Main(m)) }

func config(t *testing.T) *rest.Config {
	t.Helper()
	config := apiServer.Config(t)
	config.QPS = -1
	return config
}
