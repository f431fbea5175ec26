// SPDX-License-Identifier: Apache-2.0

package uninstall_test

import (
	"os"
	"testing"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/apitest"
	"github.com/credence-dev/credence/charts"
)

var apiServer = apitest.Shared{CRDs: charts.CRDs}

var testScheme = apitest.Scheme(v1alpha1.AddToScheme)

func TestMain(m *testing.M) { os.Exit(apiServer.Main(m)) }
