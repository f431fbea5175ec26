// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	objectsDesc = prometheus.NewDesc("credence_usage_objects",
		"Objects that the usage index holds, by kind.", []string{"kind"}, nil)
	followedDesc = prometheus.NewDesc("credence_usage_followed",
		"1 if a kind has been listed and is being watched, 0 if that fails.", []string{"kind"}, nil)
	heardDesc = prometheus.NewDesc("credence_usage_last_heard_timestamp_seconds",
		"Unix time of the last event or bookmark of a kind's watch; the API server sends a bookmark about every minute.", []string{"kind"}, nil)
)

// collectorOfMetrics reads a Follower when it is asked to.
type collectorOfMetrics struct{ *Follower }

// Describe implements prometheus.Collector.
func (c *collectorOfMetrics) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- objectsDesc
	descriptions <- followedDesc
	descriptions <- heardDesc
}

// Collect implements prometheus.Collector.
func (c *collectorOfMetrics) Collect(metrics chan<- prometheus.Metric) {
	c.mu.Lock()
	kinds := slices.Clone(c.kinds)
	c.mu.Unlock()
	for _, k := range kinds {
		gauge := func(description *prometheus.Desc, value float64) {
			metrics <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value, k.kind.String())
		}
		gauge(objectsDesc, float64(c.index.count(k.kind)))
		works := 0.0
		if k.works.Load() {
			works = 1
		}
		gauge(followedDesc, works)
		if heard := k.heard.Load(); heard != 0 {
			gauge(heardDesc, float64(heard))
		}
	}
}
