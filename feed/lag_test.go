// SPDX-License-Identifier: Apache-2.0

package feed_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
)

// TestLag: the beginning of a deletion counts, once, and nothing else of a Credential.
func TestLag(t *testing.T) {
	start := time.Unix(1e9, 0)
	cluster, registry := newCluster(t), prometheus.NewRegistry()
	f, err := feed.Start(t.Context(), cluster.informers, catalog.New(credential.DefaultLayout()))
	if err != nil {
		t.Fatal(err)
	}
	if err := feed.ObserveLag(registry, "webhook", f, clocktesting.NewFakePassiveClock(start)); err != nil {
		t.Fatal(err)
	}
	if err := feed.ObserveLag(registry, "controller", f, clocktesting.NewFakePassiveClock(start)); err != nil {
		t.Fatal(err)
	}
	cluster.run(t)
	waitSynced(t, "the feed", f.Synced)
	c := loginOf("quay", "quay.io")
	c.Finalizers = []string{"example.com/held"}
	cluster.credentials.Add(c.DeepCopy())
	c.Labels = map[string]string{"a": "b"}
	cluster.credentials.Modify(c.DeepCopy())
	c.DeletionTimestamp = &metav1.Time{Time: start.Add(-3 * time.Second)}
	cluster.credentials.Modify(c.DeepCopy())
	c.Labels = nil
	cluster.credentials.Modify(c.DeepCopy())
	cluster.credentials.Delete(c)
	err = wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		families, err := registry.Gather()
		if err != nil {
			return false, err
		}
		told := 0
		for _, metric := range families[0].GetMetric() {
			if h := metric.GetHistogram(); h.GetSampleCount() == 1 && h.GetSampleSum() == 3 {
				told++
			}
		}
		return told == 2, nil
	})
	if err != nil {
		t.Error(err)
	}
}
