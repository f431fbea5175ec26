// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// BenchmarkPods looks at the memory of the processes, and at how soon they are
// ready, in a cluster of 50,000 pods that use 1,000 credentials.
func BenchmarkPods(b *testing.B) {
	report(b, func() []figure {
		c := start(b)
		return c.measurePods(b, podsSize{
			projects: scaled(500), pods: scaled(50_000), credentials: scaled(1000), admissions: scaled(4000), settle: 45 * time.Second,
		})
	})
}

type podsSize struct {
	projects, pods, credentials int
	// admissions are how many pods are created, dry, before the webhook's memory is
	// looked at.
	admissions int
	// settle is how long the memory is watched. It is longer than
	// controller.Options.UsageLag.
	settle time.Duration
}

func (c *cluster) measurePods(tb testing.TB, size podsSize) []figure {
	tb.Helper()
	t, err := newTown(size.projects, size.pods, size.credentials)
	if err != nil {
		tb.Fatal(err)
	}
	begin := time.Now()
	stored := c.fill(tb, t.objects)
	note(tb, "brought in %d pods with their owners, %d MiB, in %v", size.pods, stored/mebibyte, time.Since(begin).Round(time.Second))
	c.startCredence(tb)
	begin = time.Now()
	err = each(tb.Context(), len(t.credentials), func(ctx context.Context, i int) error {
		return c.Client().Create(ctx, t.credentials[i])
	})
	if err != nil {
		tb.Fatal(err)
	}
	c.awaitAllInOrder(tb, len(t.credentials))
	c.settle(tb)
	note(tb, "%d credentials were in order after %v", size.credentials, time.Since(begin).Round(time.Second))
	c.checkUsed(tb, t)

	// Now as it is when a node went, or at an upgrade: everything is there, and the
	// processes start.
	c.stopCredence()
	controller, controllerReady := c.startProcess(tb, "controller")
	c.settle(tb)
	webhook, webhookReady := c.startProcess(tb, "webhook")
	figures := []figure{
		of("s-ready", "time until the controller is ready, with its index warm", controllerReady.Seconds()).atMost(15),
		of("s-ready-webhook", "time until the webhook is ready", webhookReady.Seconds()).atMost(15),
	}
	figures = append(figures, memoryFigures(tb, "controller", controller, size.settle, 150)...)
	c.admit(tb, t, size.admissions)
	return append(figures, memoryFigures(tb, "webhook", webhook, size.settle/4, 60)...)
}

// awaitAllInOrder waits until the status of every Credential says that all is well.
func (c *cluster) awaitAllInOrder(tb testing.TB, n int) {
	tb.Helper()
	c.await(tb, fmt.Sprintf("%d credentials to be in order", n), func(ctx context.Context) (bool, error) {
		list := &v1alpha1.CredentialList{}
		if err := c.Client().List(ctx, list); err != nil {
			return false, err
		}
		inOrder := 0
		for i := range list.Items {
			if list.Items[i].Status.State == v1alpha1.StateNoIssuesFound {
				inOrder++
			}
		}
		return inOrder >= n, nil
	})
}

// checkUsed fails unless the controller found out who uses a credential: an index
// that is empty would be small, too.
func (c *cluster) checkUsed(tb testing.TB, t *town) {
	tb.Helper()
	used := t.own(0)[0]
	if err := c.Client().Get(tb.Context(), client.ObjectKeyFromObject(used), used); err != nil {
		tb.Fatal(err)
	}
	if used.Status.UsedBy.Total == 0 {
		tb.Errorf("nobody is found to use credential %s, which is in the pods of a Deployment", used.Name)
	}
}

// admit has the webhook review pods, which the API server then does not keep.
func (c *cluster) admit(tb testing.TB, t *town, n int) {
	tb.Helper()
	begin := time.Now()
	err := each(tb.Context(), n, func(ctx context.Context, i int) error {
		used := t.own(i)[0]
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: t.project(i), GenerateName: "dry-",
			Annotations: map[string]string{v1alpha1.AnnotationMountPrefix + "x": used.Name + ":/etc/credentials"},
		}}
		pod.Spec.Containers = []corev1.Container{{Name: "main", Image: "registry.example.com/app"}}
		if err := c.Client().Create(ctx, pod, client.DryRunAll); err != nil {
			return err
		}
		if len(pod.Spec.Volumes) == 0 {
			return fmt.Errorf("a pod of %s was admitted without credential %s", pod.Namespace, used.Name)
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	note(tb, "%d pods were injected into in %v", n, time.Since(begin).Round(time.Millisecond))
}
