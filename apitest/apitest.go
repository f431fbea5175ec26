// SPDX-License-Identifier: Apache-2.0

// Package apitest starts real API servers, with etcd and nothing else, for tests.
// Only tests import it, and it imports nothing of this module.
package apitest

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// assets names the folder with the programs.
const assets = "KUBEBUILDER_ASSETS"

// CRDs returns those that an API server is to have, such as charts.CRDs.
type CRDs func() ([]*apiextensionsv1.CustomResourceDefinition, error)

// Scheme has the kinds of Kubernetes, and those that are added.
func Scheme(added ...func(*runtime.Scheme) error) *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range append(added, clientgoscheme.AddToScheme) {
		if err := add(scheme); err != nil {
			panic(err) // two types for one kind: no test can mend that
		}
	}
	return scheme
}

// Start starts an API server that the end of the test stops. Without crds it has none.
// A test that cannot have one fails; it is never skipped.
func Start(t testing.TB, crds CRDs) *rest.Config {
	t.Helper()
	demand(t)
	environment, config, err := start(crds)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error(err)
		}
	})
	return config
}

// Shared is one for all tests of a package, started by the first that wants it.
// Namespaces never go there, because nothing finalizes them, so every test makes its
// own.
type Shared struct {
	// CRDs are those that it has, if any.
	CRDs CRDs

	once        sync.Once
	environment *envtest.Environment
	config      *rest.Config
	err         error
}

// Main runs the tests of a package, stops the API server, and returns the exit status.
// What starts it logs nothing.
func (s *Shared) Main(tests interface{ Run() int }) int {
	ctrl.SetLogger(logr.Discard())
	code := tests.Run()
	if s.environment == nil {
		return code
	}
	if err := s.environment.Stop(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// Config returns what a client of the administrator needs, the caller's own to change.
// Without the programs the test fails; it is never skipped.
func (s *Shared) Config(t testing.TB) *rest.Config {
	t.Helper()
	demand(t)
	s.once.Do(func() { s.environment, s.config, s.err = start(s.CRDs) })
	if s.err != nil {
		t.Fatal(s.err)
	}
	return rest.CopyConfig(s.config)
}

// demand fails a test without the programs: envtest would look for them elsewhere.
func demand(t testing.TB) {
	t.Helper()
	if os.Getenv(assets) == "" {
		t.Fatal(assets + " is not set, so there is no API server to test against: run make test")
	}
}

func start(crds CRDs) (*envtest.Environment, *rest.Config, error) {
	environment := &envtest.Environment{}
	if crds != nil {
		var err error
		if environment.CRDs, err = crds(); err != nil {
			return nil, nil, err
		}
	}
	config, err := environment.Start()
	if err != nil {
		return nil, nil, fmt.Errorf("starting an API server: %w", err)
	}
	return environment, config, nil
}
