// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/controlplane"
	"github.com/credence-dev/credence/e2e/local"
)

// The rounds of BenchmarkPodCreation: bounded, and enough for a median.
const (
	rounds        = 9
	podsPerRound  = 600
	creators      = 8
	creationSpace = "pod-creation"
	replaySpace   = "pod-creation-replay"
)

// BenchmarkPodCreation compares how many pods a second a real API server takes,
// from 8 clients, taking turns:
//
//	without  no webhook at all
//	replay   a webhook that does nothing but send the very patch that Credence
//	         would: what is left is the API server's own work for a patch
//	with     Credence, injecting three credentials
//
// It reports pods/s, the medians of the rounds, and with as a share of the others.
func BenchmarkPodCreation(b *testing.B) {
	plain := plainClient(b)
	replayed := startReplay(b, plain)
	contestants := []struct {
		name  string
		c     client.Client
		space string
	}{{"without", plain, creationSpace}, {"replay", plain, replaySpace}, {"with", cluster.Client(), creationSpace}}
	for _, at := range contestants {
		makeProject(b, at.c, at.space)
	}
	template := askingPod(b, creationSpace)
	for b.Loop() {
		rates := map[string][]float64{}
		for i := range 1 + rounds {
			for _, at := range contestants {
				rate := round(b, at.c, at.space, template)
				if i > 0 { // in the first, connections are made
					rates[at.name] = append(rates[at.name], rate)
				}
			}
		}
		for name, of := range rates {
			b.ReportMetric(median(of), "pods/s-"+name)
		}
		b.ReportMetric(median(rates["with"])/median(rates["without"]), "with/without")
		b.ReportMetric(median(rates["with"])/median(rates["replay"]), "with/replay")
	}
	if replayed() == 0 {
		b.Error("the replaying webhook was never asked")
	}
}

// makeProject makes a project of one's own for a contestant.
func makeProject(b *testing.B, c client.Client, name string) {
	b.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1alpha1.LabelProject: name}}}
	if err := c.Create(b.Context(), namespace); err != nil {
		b.Fatal(err)
	}
}

// askingPod is a pod that asks for three credentials, which it makes.
func askingPod(b *testing.B, space string) *corev1.Pod {
	b.Helper()
	for _, name := range []string{"openai", "hub", "bucket"} {
		create(b, genericSource(space, name), genericCredential(space, name))
		ready(b, space, name)
	}
	pod := benchmarkPod(b)
	pod.Annotations = map[string]string{
		"mount.credence.dev/openai": "openai:/etc/openai",
		"env.credence.dev/HUB":      "hub/token",
		"env.credence.dev/BUCKET":   "bucket/token",
	}
	return pod
}

// plainClient is that of a control plane without Credence.
func plainClient(b *testing.B) client.Client {
	b.Helper()
	options, err := local.ForTests(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	plane, err := controlplane.Start(b.Context(), options.Plane)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			b.Error(err)
		}
	})
	c, err := client.New(plane.Config(), client.Options{Scheme: local.Scheme()})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// benchmarkPod is the 6 KiB pod of the injector's benchmarks, without what an API
// server adds.
func benchmarkPod(tb testing.TB) *corev1.Pod {
	tb.Helper()
	text, err := os.ReadFile("../../injector/testdata/benchmark/pod.json")
	if err != nil {
		tb.Fatal(err)
	}
	pod := &corev1.Pod{}
	if err := json.Unmarshal(text, pod); err != nil {
		tb.Fatal(err)
	}
	pod.ObjectMeta = metav1.ObjectMeta{Labels: pod.Labels}
	return pod
}

// round creates pods, removes them, and returns how many a second were created.
func round(b *testing.B, c client.Client, namespace string, template *corev1.Pod) float64 {
	b.Helper()
	var next atomic.Int64
	start := time.Now()
	group, ctx := errgroup.WithContext(b.Context())
	for range creators {
		group.Go(func() error {
			for {
				n := next.Add(1)
				if n > podsPerRound {
					return nil
				}
				pod := template.DeepCopy()
				pod.Namespace, pod.Name = namespace, fmt.Sprintf("p-%d", n)
				if err := c.Create(ctx, pod); err != nil {
					return err
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	rate := podsPerRound / time.Since(start).Seconds()
	empty(b, c, namespace)
	return rate
}

// empty removes the pods of a round, and waits until they are gone.
func empty(b *testing.B, c client.Client, namespace string) {
	b.Helper()
	if err := c.DeleteAllOf(b.Context(), &corev1.Pod{}, client.InNamespace(namespace), client.GracePeriodSeconds(0)); err != nil {
		b.Fatal(err)
	}
	err := local.Poll(b.Context(), "the pods to go", func(ctx context.Context) (bool, error) {
		pods := &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
		err := c.List(ctx, pods, client.InNamespace(namespace), client.Limit(1))
		return len(pods.Items) == 0, err
	})
	if err != nil {
		b.Fatal(err)
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
