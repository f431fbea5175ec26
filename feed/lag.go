// SPDX-License-Identifier: Apache-2.0

package feed

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// ObserveLag adds to a registerer how far a process is behind the cluster, with the
// process as the only label: how many seconds after the deletion of a Credential began
// the process heard of it. Until every webhook has, new workloads may begin to use it,
// which is why its copies stay for a while (--drain of the controller). Times are told
// in seconds, so a figure may be up to one too high. It fails if the process is
// registered already.
func ObserveLag(registerer prometheus.Registerer, process string, of *Feed, now clock.PassiveClock) error {
	lag := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:        "credence_deletion_notice_seconds",
		Help:        "How long after the deletion of a Credential began the process heard of it.",
		ConstLabels: prometheus.Labels{"process": process},
		Buckets:     []float64{1, 2, 5, 10, 15, 30, 60},
	})
	if err := registerer.Register(lag); err != nil {
		return fmt.Errorf("registering the metrics of the feed of the %s: %w", process, err)
	}
	of.Notify(func(change Change) {
		before, _ := change.Before.(*v1alpha1.Credential)
		after, _ := change.After.(*v1alpha1.Credential)
		if before == nil || after == nil || before.DeletionTimestamp != nil || after.DeletionTimestamp == nil {
			return
		}
		lag.Observe(max(0, now.Since(after.DeletionTimestamp.Time)).Seconds())
	})
	return nil
}
