// SPDX-License-Identifier: Apache-2.0

package cabundle

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// The states of a namespace. Of those that neither need nor have a copy nothing is
// known.
const (
	stateCurrent  = "current"
	stateOutdated = "outdated" // it could not be written
	stateMissing  = "missing"  // the same: pods wait for it
	stateTaken    = "taken"    // by a ConfigMap that is not ours
	stateUnneeded = "unneeded" // it goes soon
)

// state of a namespace, comparable.
type state struct {
	name  string
	of    types.UID // what took the name
	since time.Time // when it was first not needed
}

var statesDesc = prometheus.NewDesc("credence_ca_bundles",
	"Namespaces by the state of the ConfigMap with certificates for data sources (current, outdated, missing, taken by another ConfigMap, unneeded).", []string{"state"}, nil)

// states are those of all namespaces. The zero value has none.
type states struct {
	mu  sync.Mutex
	all map[string]state
	// told is the problem that was last told of.
	told string
}

// isNews says whether a problem is to be told.
func (s *states) isNews(problem string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := s.told != problem
	s.told = problem
	return news
}

func (s *states) get(namespace string) state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[namespace]
}

func (s *states) set(namespace string, now state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]state{}
	}
	if s.all[namespace] = now; now == (state{}) {
		delete(s.all, namespace)
	}
}

// Describe implements prometheus.Collector.
func (s *states) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- statesDesc }

// Collect implements prometheus.Collector.
func (s *states) Collect(metrics chan<- prometheus.Metric) {
	counts := map[string]int{stateCurrent: 0, stateOutdated: 0, stateMissing: 0, stateTaken: 0, stateUnneeded: 0}
	s.mu.Lock()
	for _, one := range s.all {
		counts[one.name]++
	}
	s.mu.Unlock()
	for name, count := range counts {
		metrics <- prometheus.MustNewConstMetric(statesDesc, prometheus.GaugeValue, float64(count), name)
	}
}

// Reason and action of the events.
const (
	reasonUnusable = "CABundleUnusable"
	reasonTaken    = "CABundleNameTaken"
	actionSpread   = "SpreadCABundle"
)

// tellProblem tells of a bundle that cannot be spread, once.
func (r *reconciler) tellProblem(ctx context.Context, problem string) {
	if !r.states.isNews(problem) {
		return
	}
	log.FromContext(ctx).Error(nil, "No certificates for data sources can be spread", "configMap", r.source.String(), "problem", problem)
	about := &corev1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: r.source.Namespace, Name: r.source.Name}
	r.recorder.Eventf(about, nil, corev1.EventTypeWarning, reasonUnusable, actionSpread,
		"ConfigMap %s of the install namespace is to have the certificates for data sources, but %s", r.source.Name, problem)
}

// tellTaken tells of a ConfigMap where a copy would be.
func (r *reconciler) tellTaken(found *metadata) {
	r.recorder.Eventf(found, nil, corev1.EventTypeWarning, reasonTaken, actionSpread,
		"this ConfigMap is not Credence's and left as it is: pods that fetch data sources trust the certificates under its key %s; remove it to have those of %s",
		Key, r.source.NamespacedName)
}
