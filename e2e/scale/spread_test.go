// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// bareConcurrency is that of Credence: controller.Options.Concurrency.
const bareConcurrency = 16

// bareLabel stands on the Secrets of the bare loop for v1alpha1.LabelCopyOf, and is
// as long: with that, the controller would take them for strays.
const bareLabel = "baseline.dev/copy-of"

// BenchmarkSpread compares Credence with the shortest program that does the same
// work, taking turns:
//
//	with  one Credential is created, and Credence makes its copies
//	bare  a loop applies the same Secrets on the server's side, with a client that
//	      has the same rights and, like Credence's, no limit on its rate, and with as
//	      many requests under way at once
//
// Both times end when a watch has shown the last Secret.
func BenchmarkSpread(b *testing.B) {
	report(b, func() []figure {
		c := start(b)
		return c.measureSpread(b, scaled(2000), 5)
	})
}

// measureSpread gives each contestant a round to make connections in, and as many
// more as are counted.
func (c *cluster) measureSpread(tb testing.TB, n, rounds int) []figure {
	tb.Helper()
	const department = "spread"
	c.fill(tb, projects(department, n))
	c.startCredence(tb)
	scope := v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: department}
	secret := source(systemNamespace, department, v1alpha1.Generic, scope)
	c.create(tb, secret)
	contestants := map[string]func() (spread, removal time.Duration){
		"with": func() (time.Duration, time.Duration) {
			return c.roundWith(tb, credentialOf(secret, v1alpha1.Generic, scope), n)
		},
		"bare": func() (time.Duration, time.Duration) { return c.roundBare(tb, secret, n) },
	}
	spread, removal := map[string][]float64{}, map[string][]float64{}
	for i := range 1 + rounds {
		turns := []string{"with", "bare"}
		if i%2 == 1 { // neither always goes first
			turns[0], turns[1] = turns[1], turns[0]
		}
		for _, name := range turns {
			made, removed := contestants[name]()
			note(tb, "round %d, %s: %d Secrets made in %v, removed in %v", i, name, n, made.Round(time.Millisecond), removed.Round(time.Millisecond))
			if i > 0 {
				spread[name] = append(spread[name], made.Seconds())
				removal[name] = append(removal[name], removed.Seconds())
			}
		}
	}
	return []figure{
		of("with/bare", fmt.Sprintf("time to spread to %d namespaces, against a bare loop", n), median(spread["with"])/median(spread["bare"])).atMost(1.20),
		of("s-with", "time to spread", median(spread["with"])),
		of("s-bare", "time of the bare loop", median(spread["bare"])),
		of("removal-with/bare", "time to remove, against a bare loop of deletions", median(removal["with"])/median(removal["bare"])),
		of("s-removal", "time to remove", median(removal["with"])),
	}
}

// roundWith creates a Credential, and removes it when all is done.
func (c *cluster) roundWith(tb testing.TB, credential *v1alpha1.Credential, n int) (spread, removal time.Duration) {
	tb.Helper()
	onlooker := c.look(tb, v1alpha1.LabelCopyOf, credential.Name)
	defer onlooker.events.Stop()
	spread = onlooker.time(tb, n, existing, func(ctx context.Context) error { return c.Client().Create(ctx, credential) })
	c.awaitInOrder(tb, credential)
	removal = onlooker.time(tb, 0, existing, func(ctx context.Context) error { return c.Client().Delete(ctx, credential) })
	c.awaitGone(tb, credential)
	return spread, removal
}

// roundBare applies the same Secrets, and deletes them.
func (c *cluster) roundBare(tb testing.TB, source *corev1.Secret, n int) (spread, removal time.Duration) {
	tb.Helper()
	onlooker := c.look(tb, bareLabel, source.Name)
	defer onlooker.events.Stop()
	config := c.ServiceAccount("credence-controller")
	config.QPS = -1 // as Credence sets it
	// The faster of the two that it could speak, as Credence does. What is applied is
	// always sent as JSON.
	config.AcceptContentTypes = runtime.ContentTypeProtobuf
	bare, err := kubernetes.NewForConfig(config)
	if err != nil {
		tb.Fatal(err)
	}
	name := "genericsecret-bare"
	spread = onlooker.time(tb, n, existing, func(ctx context.Context) error {
		return each(ctx, n, func(ctx context.Context, i int) error {
			namespace := projectName(source.Name, i)
			secret := applycorev1.Secret(name, namespace).WithType(corev1.SecretTypeOpaque).WithData(source.Data).
				WithLabels(map[string]string{bareLabel: source.Name, v1alpha1.LabelManagedBy: v1alpha1.ManagedByCredence}).
				WithAnnotations(map[string]string{
					v1alpha1.AnnotationCopyOfUID:   "5a1f0c9e-9f0b-4c57-8f3e-2a64c6a7d1b2",
					v1alpha1.AnnotationFingerprint: "3f1c2b4a:9d4f2a6b8c0e1d3f5a7b9c1d3e5f7a9b1c3d5e7f9a1b3c5d7e9f1a3b5c7d9e1f",
				})
			_, err := bare.CoreV1().Secrets(namespace).Apply(ctx, secret, metav1.ApplyOptions{FieldManager: "bare", Force: true})
			return err
		})
	})
	removal = onlooker.time(tb, 0, existing, func(ctx context.Context) error {
		return each(ctx, n, func(ctx context.Context, i int) error {
			return bare.CoreV1().Secrets(projectName(source.Name, i)).Delete(ctx, name, metav1.DeleteOptions{})
		})
	})
	return spread, removal
}

// each calls do with 0 to n-1, several at a time.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range bareConcurrency {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := do(ctx, i); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}
