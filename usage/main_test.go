// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// apiServer is one for all tests of the package, started by the first that wants
// it.
var apiServer struct {
	once        sync.Once
	environment *envtest.Environment
	config      *rest.Config
	err         error
}

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
		apiServer.environment = &envtest.Environment{Scheme: scheme.Scheme}
		apiServer.config, apiServer.err = apiServer.environment.Start()
	})
	if apiServer.err != nil {
		t.Fatal(apiServer.err)
	}
	config := rest.CopyConfig(apiServer.config)
	config.QPS = -1
	return config
}
