// SPDX-License-Identifier: Apache-2.0

package kinds_test

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/charts"
)

// apiServer is one for all tests of the package, started by the first that wants
// it.
var apiServer struct {
	once        sync.Once
	environment *envtest.Environment
	config      *rest.Config
	err         error
}

var testScheme = func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}()

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	code := m.Run()
	if apiServer.environment != nil {
		if err := apiServer.environment.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func config(t *testing.T) *rest.Config {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set, so there is no API server to test against: run make test")
	}
	apiServer.once.Do(func() {
		crds, err := charts.CRDs()
		if err != nil {
			apiServer.err = err
			return
		}
		apiServer.environment = &envtest.Environment{Scheme: testScheme, CRDs: crds}
		apiServer.config, apiServer.err = apiServer.environment.Start()
	})
	if apiServer.err != nil {
		t.Fatal(apiServer.err)
	}
	return rest.CopyConfig(apiServer.config)
}
