// SPDX-License-Identifier: Apache-2.0

package guide

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/e2e/local"
)

// runPods has pods run, as far as their statuses tell: there are no nodes, and no
// workload would ever be rolled out.
func runPods(t *testing.T, cluster *local.Cluster) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		wait.UntilWithContext(ctx, func(ctx context.Context) { runAll(ctx, cluster.Client()) }, 100*time.Millisecond)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
}

// runAll runs those that do not run yet. What fails is tried again.
func runAll(ctx context.Context, c client.Client) {
	var pods corev1.PodList
	if err := c.List(ctx, &pods); err != nil {
		return
	}
	for _, pod := range pods.Items {
		// Statuses have seconds. What starts in the second of a rotation counts as outdated,
		// and here much happens in one.
		if pod.Status.Phase != corev1.PodPending || time.Since(pod.CreationTimestamp.Time) < 2*time.Second {
			continue
		}
		before := client.MergeFrom(pod.DeepCopy())
		pod.Status.Phase = corev1.PodRunning
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()})
		for _, container := range pod.Spec.Containers {
			pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
				Name: container.Name, Image: container.Image, Ready: true,
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
			})
		}
		_ = c.Status().Patch(ctx, &pod, before)
	}
}
