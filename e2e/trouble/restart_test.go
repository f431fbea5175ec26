// SPDX-License-Identifier: Apache-2.0

package trouble

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/e2e-framework/pkg/features"
)

// TestClusterRestarted: all nodes go down at once, the control plane among them, and
// come back. Nobody helps.
func TestClusterRestarted(t *testing.T) {
	pods := &stream{}
	var before []corev1.Secret
	var down time.Time
	story(t, features.New("the whole cluster is started again").
		Setup(step(func(t *testing.T) {
			var err error
			before, err = copies(t.Context(), scene.namespace)
			must(t, err)
			pods.start(t)
		})).
		Assess("all nodes and what is the system's come back", step(func(t *testing.T) {
			down = time.Now()
			must(t, world.Cluster.Restart(t.Context()))
			eventually(t, "the cluster", func(ctx context.Context) error { return startedAfter(ctx, "kube-system", down) })
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			must(t, world.Cluster.Ready(ctx, world.Client))
		})).
		Assess("Credence comes back", step(func(t *testing.T) {
			eventually(t, "Credence", func(ctx context.Context) error {
				if err := world.Running(ctx); err != nil {
					return err
				}
				return startedAfter(ctx, "credence", down)
			})
			pods.flows(t)
			after := pods.refusals()
			pods.flows(t)
			if now := pods.refusals(); now > after {
				t.Errorf("%d creations failed after it was over: %v", now-after, pods.lastRefusal())
			}
		})).
		Assess("what ran runs again, with its credentials", step(func(t *testing.T) {
			eventually(t, "the app to be started again", func(ctx context.Context) error {
				if err := startedAfter(ctx, scene.namespace, down); err != nil {
					return err
				}
				return scene.appWorks(ctx)
			})
		})).
		Assess("nothing was stored without its credentials", step(pods.injected)).
		Assess("copies are as they were", step(func(t *testing.T) {
			after, err := copies(t.Context(), scene.namespace)
			must(t, err)
			if len(after) != len(before) {
				t.Fatalf("there are %d, want %d", len(after), len(before))
			}
			for i := range before {
				if is, was := after[i], before[i]; is.Name != was.Name || is.UID != was.UID || is.ResourceVersion != was.ResourceVersion {
					t.Errorf("copy %s was written", was.Name)
				}
			}
		})))
}

// startedAfter names a container of a namespace that does not run, or has run for
// longer. Pods of the stream have no node, and no containers.
func startedAfter(ctx context.Context, namespace string, moment time.Time) error {
	list := &corev1.PodList{}
	if err := world.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return err
	}
	for _, pod := range list.Items {
		if pod.Spec.NodeName == "" {
			continue
		}
		for _, status := range pod.Status.ContainerStatuses {
			// The kubelet's times are whole seconds.
			if running := status.State.Running; running == nil || running.StartedAt.Add(time.Second).Before(moment) {
				return fmt.Errorf("%s of pod %s has not started again", status.Name, pod.Name)
			}
		}
	}
	return nil
}
