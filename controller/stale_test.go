// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
)

// TestStaleSightingChangesNothing: between the informer's last word and our write
// somebody replaced the copy by a Secret of their own, or took our marks off.
func TestStaleSightingChangesNothing(t *testing.T) {
	replace := func(w *world, copied *corev1.Secret) *corev1.Secret {
		w.must(w.Delete(w.Context(), copied))
		meta := metav1.ObjectMeta{Namespace: copied.Namespace, Name: copied.Name}
		meta.Labels, meta.Annotations = copied.Labels, copied.Annotations // the marks and all
		mine := &corev1.Secret{ObjectMeta: meta, Data: bytes(map[string]string{"mine": "yes"})}
		w.must(w.Create(w.Context(), mine))
		return mine
	}
	unmark := func(w *world, copied *corev1.Secret) *corev1.Secret {
		delete(copied.Annotations, v1alpha1.AnnotationCopyOfUID)
		w.must(w.Update(w.Context(), copied))
		return copied
	}
	for name, test := range map[string]struct {
		meanwhile func(*world, *corev1.Secret) *corev1.Secret
		action    copies.Action
	}{
		"rewrite a replaced one": {replace, copies.Rewrite},
		"rewrite an unmarked":    {unmark, copies.Rewrite},
		"remove a replaced one":  {replace, copies.Remove},
		"remove an unmarked":     {unmark, copies.Remove},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.project("a", "")
			w.run()
			c := w.generic("key")
			w.spread(c, 1)
			w.stop()

			sighting := copies.Secret()
			w.must(w.Get(w.Context(), client.ObjectKey{Namespace: a, Name: "genericsecret-key"}, sighting))
			seen, ours := copies.Read(sighting)
			if !ours {
				t.Fatal("the copy is not ours")
			}
			want := test.meanwhile(w, w.secret(a, "genericsecret-key"))

			writer := copies.NewWriter(copies.Options{Client: w, Reader: w, Cache: w, Clock: clock.RealClock{}, Holders: nobody{}, Concurrency: 1, RetryBase: time.Second, RetryMax: time.Second})
			wanted := copies.Wanted{Credential: client.ObjectKeyFromObject(c), UID: c.UID, Name: "genericsecret-key", Type: corev1.SecretTypeOpaque}.
				Fill(bytes(map[string]string{"api-key": "not-a-secret-2"}), "1:1")
			report := writer.Spread(w.Context(), wanted, []copies.Step{{Action: test.action, Namespace: a, Copy: seen}})
			if report.Outcomes[a].Current || len(report.Removed) > 0 || report.RetryAfter == 0 {
				t.Errorf("it was taken for done: %+v", report)
			}
			if diff := cmp.Diff(want, w.secret(a, "genericsecret-key")); diff != "" {
				t.Errorf("it was touched (-before +after):\n%s", diff)
			}
		})
	}
}
