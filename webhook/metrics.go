// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"github.com/prometheus/client_golang/prometheus"
)

// outcome is what became of a request, as metrics and logs name it.
type outcome string

const (
	outcomeInjected  outcome = "injected"
	outcomeStamped   outcome = "stamped"
	outcomeUnchanged outcome = "unchanged"
	outcomeRefused   outcome = "refused"
	// outcomeNotReady: something could not be known or used yet, and trying again
	// helps.
	outcomeNotReady outcome = "not_ready"
	// outcomeError: what came is not what this entry is for.
	outcomeError outcome = "error"
	outcomePanic outcome = "panic"
)

var outcomes = []outcome{outcomeInjected, outcomeStamped, outcomeUnchanged, outcomeRefused, outcomeNotReady, outcomeError, outcomePanic}

// metrics are the counters of the webhook process. Their labels are bounded.
// Durations are those of controller-runtime's webhook server.
type metrics struct {
	decisions *prometheus.CounterVec
	reads     *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "credence_admission_decisions_total",
			Help: "Admission reviews by entry of the webhook configuration and outcome.",
		}, []string{"entry", "outcome"}),
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "credence_admission_live_reads_total",
			Help: "Objects read from the API server because a cache did not know them, by outcome.",
		}, []string{"outcome"}),
	}
	for _, collector := range []prometheus.Collector{m.decisions, m.reads} {
		if err := registry.Register(collector); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// of returns the counters of one entry, which are at 0 from the start.
func (m *metrics) of(entry string) map[outcome]prometheus.Counter {
	counters := make(map[outcome]prometheus.Counter, len(outcomes))
	for _, o := range outcomes {
		counters[o] = m.decisions.WithLabelValues(entry, string(o))
	}
	return counters
}

func (m *metrics) liveRead(result string) {
	m.reads.WithLabelValues(result).Inc()
}
