// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/credence-dev/credence/usage"
)

type counting func(*http.Request) (*http.Response, error)

func (f counting) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestPodsReferring: the one live pod among very many is found, on whichever page it
// is, and what is found ends the search.
func TestPodsReferring(t *testing.T) {
	w := newWorld(t)
	var pages atomic.Int32
	at := rest.CopyConfig(config(t))
	at.QPS = -1
	at.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return counting(func(r *http.Request) (*http.Response, error) {
			pages.Add(1)
			return next.RoundTrip(r)
		})
	})
	pods, err := usage.NewPods(at)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(secret string, asked int32, names ...string) {
		t.Helper()
		pages.Store(0)
		found, err := pods.Referring(t.Context(), types.NamespacedName{Namespace: w.namespace, Name: secret})
		if err != nil || len(found) != len(names) || pages.Load() != asked {
			t.Fatalf("of %s it found %v on %d pages, %v; want %v on %d", secret, found, pages.Load(), err, names, asked)
		}
		for i, name := range names {
			if found[i].Name != name || found[i].Namespace != w.namespace {
				t.Errorf("found %s, want %s", found[i], name)
			}
		}
	}
	pod := func(name, secret string) *corev1.Pod {
		main := corev1.Container{Name: "main", Image: "image.example.com/main"}
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, Spec: corev1.PodSpec{Containers: []corev1.Container{main}}}
		if secret != "" {
			p.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: secret}}
		}
		w.create(p)
		return p
	}
	expect("first", 1)
	for i := range 101 {
		pod(fmt.Sprintf("many-%03d", i), "")
	}
	first, last := pod("a", "first"), pod("z", "last")
	expect("first", 1, "a")
	expect("last", 2, "z")
	expect("other", 2)
	for phase, p := range map[corev1.PodPhase]*corev1.Pod{corev1.PodSucceeded: first, corev1.PodFailed: last} {
		p.Status.Phase = phase
		if err := w.Status().Update(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	expect("first", 2)
	expect("last", 2)
}
