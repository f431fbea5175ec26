// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"net/http"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/fetch"
	"github.com/credence-dev/credence/injector/workload"
	"github.com/credence-dev/credence/webhook/admission"
)

// Options are what the admission entries need.
type Options struct {
	// Catalog is what the process knows of the cluster. It must be complete before a
	// review is served.
	Catalog *catalog.Catalog
	// Kinds are the kinds of workload that are known. The default are those that need no
	// WorkloadKind.
	Kinds *workload.Registry
	// Fetch says with what data sources are fetched. The default is that of an
	// installation that changes nothing.
	Fetch *fetch.Settings
	// Live reads from the API server, past all caches.
	Live client.Reader
	// Log gets one line for each decision, and for each live read that failed.
	Log logr.Logger
	// Registry gets the metrics.
	Registry prometheus.Registerer
	// Clock is the time. The default is the real one.
	Clock clock.Clock
}

// Registrar serves handlers by path. controller-runtime's webhook server is one.
type Registrar interface {
	Register(path string, handler http.Handler)
}

// Register adds the admission entries to a server. Every handler goes through wrap.
func Register(server Registrar, options Options, wrap func(http.Handler) http.Handler) error {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.Kinds == nil {
		options.Kinds = &workload.Registry{}
	}
	entries, err := admission.NewEntries(options.Registry, options.Log)
	if err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	live, err := newLiveReader(options)
	if err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	pods := &pods{known: options.Catalog, live: live, owners: &ownerReader{live: live}, clock: options.Clock, fetch: options.Fetch}
	kinds := ownKinds(options.Catalog)
	names := &names{kinds: kinds, live: live, clock: options.Clock}
	workloads := &workloads{known: options.Catalog, kinds: options.Kinds, fetch: options.Fetch, clock: options.Clock}
	for path, served := range map[string]struct {
		entry string
		read  admission.Read
	}{
		PathAnnotated:           {"inject", pods.read},
		PathPullSecrets:         {"pull-secrets", pods.read},
		PathStamp:               {"stamp", kinds.stamp},
		PathCarry:               {"carry", workloads.read},
		PathTemplatePullSecrets: {"template-pull-secrets", workloads.read},
		PathNames:               {"names", names.read},
	} {
		server.Register(path, wrap(entries.Handler(served.entry, served.read)))
	}
	return nil
}
