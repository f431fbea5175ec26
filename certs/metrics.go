// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// RegisterMetrics adds to registerer the gauges of one server's source, with server as their only label:
//
//   - credence_serving_certificate_expiry_timestamp_seconds: when the certificate that is served expires;
//   - credence_ca_expiry_timestamp_seconds: when the CA that signs it expires; self-managed mode only.
//
// Both are Unix times in seconds, and absent as long as there is nothing to tell. It fails if server is registered already.
func RegisterMetrics(registerer prometheus.Registerer, server string, source *Source) error {
	constant := prometheus.Labels{"server": server}
	collector := &expiryCollector{
		source: source,
		leaf: prometheus.NewDesc("credence_serving_certificate_expiry_timestamp_seconds",
			"Unix time at which the serving certificate expires.", nil, constant),
		ca: prometheus.NewDesc("credence_ca_expiry_timestamp_seconds",
			"Unix time at which the CA that signs the serving certificate expires.", nil, constant),
	}
	if err := registerer.Register(collector); err != nil {
		return fmt.Errorf("registering the certificate metrics of %s: %w", server, err)
	}
	return nil
}

type expiryCollector struct {
	source   *Source
	leaf, ca *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *expiryCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- c.leaf
	descriptions <- c.ca
}

// Collect implements prometheus.Collector.
func (c *expiryCollector) Collect(metrics chan<- prometheus.Metric) {
	if notAfter, err := c.source.notAfter(); err == nil {
		metrics <- gauge(c.leaf, notAfter)
	}
	if c.source.authority == nil {
		return
	}
	if notAfter := c.source.authority.NotAfter(); !notAfter.IsZero() {
		metrics <- gauge(c.ca, notAfter)
	}
}

func gauge(description *prometheus.Desc, t time.Time) prometheus.Metric {
	return prometheus.MustNewConstMetric(description, prometheus.GaugeValue, float64(t.Unix()))
}
