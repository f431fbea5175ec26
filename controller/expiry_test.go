// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller"
)

// expiring waits until the metric counts so many credentials, by reason.
func (w *world) expiring(soon, over float64) {
	w.Helper()
	want := map[string]float64{v1alpha1.ReasonExpiresSoon: soon, v1alpha1.ReasonExpired: over}
	w.eventually("the metric counts them", func() error {
		families, err := w.metrics.Gather()
		w.must(err)
		got := map[string]float64{}
		for _, family := range families {
			if family.GetName() == "credence_credentials_expiring" {
				for _, metric := range family.GetMetric() {
					got[metric.GetLabel()[0].GetValue()] = metric.GetGauge().GetValue()
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("(-want +got):\n%s", diff)
		}
		return nil
	})
}

// TestExpiryIsTold: by a condition, an event and a metric, 30 days ahead and when it
// comes, and that is all that happens.
func TestExpiryIsTold(t *testing.T) {
	const day = 24 * time.Hour
	w := newWorld(t)
	clock := clocktesting.NewFakePassiveClock(time.Now())
	w.configure = func(o *controller.Options) { o.Clock = clock }
	a := w.project("a", "")
	w.run()
	c := w.generic("key")
	at := metav1.NewTime(clock.Now().Add(31 * day).Truncate(time.Second))
	w.change(c, func() { c.Spec.ExpiresAt = &at })
	w.spread(c, 1)
	w.expiring(0, 0)
	copied := w.secret(a, "genericsecret-key")

	on := at.UTC().Format(time.RFC3339)
	for _, step := range []struct {
		after      time.Duration
		reason     string
		says       string
		soon, over float64
	}{
		{2 * day, v1alpha1.ReasonExpiresSoon, "expires at " + on + "; nothing is withdrawn", 1, 0},
		{30 * day, v1alpha1.ReasonExpired, "expired at " + on, 0, 1},
	} {
		clock.SetTime(clock.Now().Add(step.after))
		w.settle(c)
		status := w.status(c, step.reason, func(s v1alpha1.CredentialStatus) bool {
			condition := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionExpiring)
			return condition.Status == metav1.ConditionTrue && condition.Reason == step.reason
		})
		if status.State != v1alpha1.StateNoIssuesFound || status.Namespaces.Ready != 1 {
			t.Errorf("%s: the status is %+v", step.reason, status)
		}
		w.eventually("it is told", func() error { return w.says(c, "Warning "+step.reason+": "+step.says) })
		w.expiring(step.soon, step.over)
	}
	if now := w.secret(a, "genericsecret-key"); now == nil || now.ResourceVersion != copied.ResourceVersion {
		t.Error("the copy was touched")
	}
	w.change(c, func() { c.Spec.ExpiresAt = nil })
	w.status(c, "not expiring", func(s v1alpha1.CredentialStatus) bool {
		return meta.IsStatusConditionFalse(s.Conditions, v1alpha1.ConditionExpiring)
	})
	w.expiring(0, 0)
}
