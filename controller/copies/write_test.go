// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestCannotBeMadeAgain: what keeps a copy from being removed is told.
func TestCannotBeMadeAgain(t *testing.T) {
	meta := marked(func(s *metav1.PartialObjectMetadata) { s.Namespace, s.Name = "a", "genericsecret-key" })
	c := fake.NewClientBuilder().WithObjects(&corev1.Secret{ObjectMeta: meta.ObjectMeta, Immutable: new(true)}).
		WithInterceptorFuncs(interceptor.Funcs{
			Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
				return apierrors.NewInvalid(schema.GroupKind{Kind: "Secret"}, "genericsecret-key", nil)
			},
			Delete: func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error {
				return &apierrors.StatusError{ErrStatus: metav1.Status{Code: 403, Message: `admission webhook "w.example.com" denied the request: no`}}
			},
		}).Build()
	w := NewWriter(Options{Client: c, Reader: c, Cache: c, Clock: clock.RealClock{}, Holders: nobody{}, Concurrency: 1, RetryBase: time.Second, RetryMax: time.Second})
	sighting := Secret()
	if err := c.Get(t.Context(), types.NamespacedName{Namespace: "a", Name: "genericsecret-key"}, sighting); err != nil {
		t.Fatal(err)
	}
	seen, _ := Read(sighting)
	wanted := Wanted{UID: "1", Name: "genericsecret-key", Type: corev1.SecretTypeOpaque}.Fill(map[string][]byte{"k": []byte("v")}, "i:g")
	report := w.Spread(t.Context(), wanted, Plan(Situation{Wanted: wanted, Desired: []string{"a"}, Existing: []Copy{seen}}))
	got := report.Outcomes["a"]
	if !got.Exists || got.Reason != v1alpha1.IssueCopyBlocked || !strings.Contains(got.Message, "w.example.com") || !strings.Contains(got.Message, "immutable") {
		t.Errorf("%+v", got)
	}
}
