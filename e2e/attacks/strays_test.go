// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

// TestStrippedFinalizers (61): who may write credentials, but may not delete them with
// force, takes the finalizers off very many and has them deleted while no controller runs.
// No project loses a copy by that: the controller that starts says so, and waits.
func TestStrippedFinalizers(t *testing.T) {
	var credentials []*v1alpha1.Credential
	for i := range 12 {
		credentials = append(credentials, ofCluster(t, fmt.Sprintf("many-%d", i)))
	}
	controller.Stop()
	gitOps := as(t, gitOps)
	for _, c := range credentials {
		poll(t, "the finalizer is off", func(ctx context.Context) error {
			if err := gitOps.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
				return err
			}
			c.Finalizers = nil
			return gitOps.Update(ctx, c)
		})
		if err := cluster.Client().Delete(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		gone(t, c.DeepCopy())
	}
	if err := startController(t.Context()); err != nil {
		t.Fatal(err)
	}
	poll(t, "the controller says that it holds them", func(ctx context.Context) error {
		events := &eventsv1.EventList{}
		if err := cluster.Client().List(ctx, events, client.InNamespace(local.InstallNamespace)); err != nil {
			return err
		}
		for i := range events.Items {
			if events.Items[i].Reason == "TooManyStrays" {
				return nil
			}
		}
		return errors.New("there is no event")
	})
	for _, c := range credentials {
		for _, namespace := range []string{teamA, teamB} {
			key := client.ObjectKey{Namespace: namespace, Name: "genericsecret-" + c.Name}
			if err := cluster.Client().Get(t.Context(), key, &corev1.Secret{}); err != nil {
				t.Errorf("copy %s: %v", key, err)
			}
		}
	}
}
