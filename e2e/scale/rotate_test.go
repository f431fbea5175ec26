// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// BenchmarkRequests counts what the API server is asked for when the controller
// starts again and nothing has changed, and when the values of a credential change.
func BenchmarkRequests(b *testing.B) {
	report(b, func() []figure {
		c := start(b)
		return c.measureRequests(b, scaled(2000))
	})
}

func (c *cluster) measureRequests(tb testing.TB, n int) []figure {
	tb.Helper()
	const department = "requests"
	c.fill(tb, projects(department, n))
	controller, _ := c.startCredence(tb)
	scope := v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: department}
	secret := source(systemNamespace, department, v1alpha1.Generic, scope)
	credential := credentialOf(secret, v1alpha1.Generic, scope)
	onlooker := c.look(tb, v1alpha1.LabelCopyOf, credential.Name)
	c.create(tb, secret, credential)
	if err := onlooker.until(tb.Context(), n, existing); err != nil {
		tb.Fatal(err)
	}
	c.awaitInOrder(tb, credential)

	controller.Stop()
	before := c.settle(tb)
	_, ready := c.startProcess(tb, "controller")
	resync := c.settle(tb).since(before)
	note(tb, "starting again, ready after %v: %s", ready.Round(time.Millisecond), resync)

	fingerprint := credential.Status.Fingerprint
	before = c.settle(tb)
	secret.Data["token"] = value("second")
	rotated := func(secret *metav1.PartialObjectMetadata) bool {
		return secret.Annotations[v1alpha1.AnnotationFingerprint] != fingerprint
	}
	// The one PUT is ours.
	took := onlooker.time(tb, n, rotated, func(ctx context.Context) error { return c.Client().Update(ctx, secret) })
	rotation := c.settle(tb).since(before)
	note(tb, "rotating: %s", rotation)

	secrets := []string{"secrets"}
	return []figure{
		of("writes-resync", "writes of a re-sync with nothing changed", resync.sum(writes, written)).atMost(0),
		of("writes/copy", fmt.Sprintf("writes of a rotation, for each of %d copies", n), (rotation.sum(writes, secrets)-1)/float64(n)).atMost(1),
		// The source is read in each pass, however many copies there are.
		of("reads/copy", "reads of Secrets in a rotation, for each copy", rotation.sum(reads, secrets)/float64(n)).atMost(0.05),
		of("s-rotation", "time until the last copy has the new values", took.Seconds()),
	}
}
