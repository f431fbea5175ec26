// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Outcome is what became of a request, as metrics and logs name it.
type Outcome string

// Outcomes.
const (
	OutcomeInjected  Outcome = "injected"
	OutcomeStamped   Outcome = "stamped"
	OutcomeCarried   Outcome = "carried"
	OutcomeUnchanged Outcome = "unchanged"
	OutcomeRefused   Outcome = "refused"
	// OutcomeNotReady: something could not be known or used yet, and trying again
	// helps.
	OutcomeNotReady Outcome = "not_ready"
	// OutcomeError: what came is not what this entry is for.
	OutcomeError Outcome = "error"
	OutcomePanic Outcome = "panic"
)

var outcomes = []Outcome{OutcomeInjected, OutcomeStamped, OutcomeCarried, OutcomeUnchanged, OutcomeRefused, OutcomeNotReady, OutcomeError, OutcomePanic}

// newDecisions counts reviews. The labels are bounded. Durations are those of
// controller-runtime's webhook server.
func newDecisions() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "credence_admission_decisions_total",
		Help: "Admission reviews by entry of the webhook configuration and outcome.",
	}, []string{"entry", "outcome"})
}

// countersOf returns the counters of one entry, which are at 0 from the start.
func countersOf(decisions *prometheus.CounterVec, entry string) map[Outcome]prometheus.Counter {
	counters := make(map[Outcome]prometheus.Counter, len(outcomes))
	for _, o := range outcomes {
		counters[o] = decisions.WithLabelValues(entry, string(o))
	}
	return counters
}
