// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/e2e/local"
)

const (
	rollouts       = 5
	podsPerRollout = 500
	rolloutSpace   = "rollout"
)

// BenchmarkRollout compares how many pods a second a ReplicaSet gets, without a webhook
// and with Credence injecting three credentials, taking turns. It is the real
// kube-controller-manager that creates them, at five times its default limits
// (--kube-api-qps): this is what a user sees, while BenchmarkPodCreation takes all that
// the machine has.
func BenchmarkRollout(b *testing.B) {
	contestants := map[string]client.Client{"without": plainClient(b), "with": cluster.Client()}
	for _, c := range contestants {
		makeProject(b, c, rolloutSpace)
	}
	template := askingPod(b, rolloutSpace)
	for b.Loop() {
		rates := map[string][]float64{}
		for i := range 1 + rollouts {
			for _, name := range []string{"without", "with"} {
				rate := rollout(b, contestants[name], fmt.Sprintf("web-%d", i), template)
				if i > 0 { // in the first, connections are made
					rates[name] = append(rates[name], rate)
				}
			}
		}
		for name, of := range rates {
			b.ReportMetric(median(of), "pods/s-"+name)
		}
		b.ReportMetric(median(rates["with"])/median(rates["without"]), "with/without")
	}
}

// rollout makes a ReplicaSet and removes it, and returns how many pods it got a second.
func rollout(b *testing.B, c client.Client, name string, template *corev1.Pod) float64 {
	b.Helper()
	labels := map[string]string{"app": name}
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: rolloutSpace, Name: name}, Spec: appsv1.ReplicaSetSpec{
		Replicas: new(int32(podsPerRollout)), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: template.Annotations}, Spec: template.Spec},
	}}
	start := time.Now()
	if err := c.Create(b.Context(), set); err != nil {
		b.Fatal(err)
	}
	err := local.Poll(b.Context(), "the ReplicaSet to have its pods", func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, client.ObjectKeyFromObject(set), set)
		return set.Status.Replicas == podsPerRollout, err
	})
	if err != nil {
		b.Fatal(err)
	}
	rate := podsPerRollout / time.Since(start).Seconds()
	if err := c.Delete(b.Context(), set, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
		b.Fatal(err)
	}
	empty(b, c, rolloutSpace)
	return rate
}
