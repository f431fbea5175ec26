// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/lookup"
)

var (
	credentialsDesc = prometheus.NewDesc("credence_credentials",
		"Credentials by state; an empty state is one that nothing was observed of yet.", []string{"state"}, nil)
	expiringDesc = prometheus.NewDesc("credence_credentials_expiring",
		"Credentials whose condition Expiring is True, by its reason.", []string{"reason"}, nil)
)

// census counts Credentials when it is asked to.
type census struct {
	cache client.Reader
}

// Describe implements prometheus.Collector.
func (c *census) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- credentialsDesc
	descriptions <- expiringDesc
}

// Collect implements prometheus.Collector. Without a cache there is nothing to
// count.
func (c *census) Collect(metrics chan<- prometheus.Metric) {
	list, err := lookup.Cluster{Cache: c.cache}.Credentials(context.Background())
	if err != nil {
		return
	}
	states := map[v1alpha1.CredentialState]int{"": 0, v1alpha1.StateCreating: 0, v1alpha1.StateNoIssuesFound: 0,
		v1alpha1.StateIssuesFound: 0, v1alpha1.StateDeleting: 0}
	expiring := map[string]int{v1alpha1.ReasonExpiresSoon: 0, v1alpha1.ReasonExpired: 0}
	for i := range list {
		states[list[i].Status.State]++
		condition := meta.FindStatusCondition(list[i].Status.Conditions, v1alpha1.ConditionExpiring)
		if condition != nil && condition.Reason != v1alpha1.ReasonNotExpiring {
			expiring[condition.Reason]++
		}
	}
	for state, count := range states {
		metrics <- prometheus.MustNewConstMetric(credentialsDesc, prometheus.GaugeValue, float64(count), string(state))
	}
	for reason, count := range expiring {
		metrics <- prometheus.MustNewConstMetric(expiringDesc, prometheus.GaugeValue, float64(count), reason)
	}
}
