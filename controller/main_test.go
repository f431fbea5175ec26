// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/apitest"
	"github.com/credence-dev/credence/charts"
)

var apiServer = apitest.Shared{CRDs: charts.CRDs}

var testScheme = func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}()

func TestMain(m *testing.M) { os.Exit(apiServer.Main(m)) }

func config(t *testing.T) *rest.Config {
	t.Helper()
	return apiServer.Config(t)
}
