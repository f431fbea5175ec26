// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/apitest"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/controller/strays"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/credential/words"
	"github.com/credence-dev/credence/usage"
)

// nobody needs a copy.
type nobody struct{}

func (nobody) Known(copies.Copy) (string, bool) { return "", true }

func (nobody) Live(context.Context, types.NamespacedName) (string, error) { return "", nil }

// behind is a cache that shows nothing yet.
type behind struct{}

func (behind) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (behind) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

// copyOf is a copy of the Credential key.
func copyOf(namespace, uid string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: "genericsecret-key",
		Labels:      map[string]string{v1alpha1.LabelCopyOf: "key", v1alpha1.LabelManagedBy: v1alpha1.ManagedByCredence},
		Annotations: map[string]string{v1alpha1.AnnotationCopyOfUID: uid, v1alpha1.AnnotationFingerprint: "i:f"},
	}}
}

// TestClearTrustsNoCache: once its credential is gone, nothing would tell that a
// copy made a moment ago is to go.
func TestClearTrustsNoCache(t *testing.T) {
	live := fake.NewClientBuilder().WithObjects(copyOf("a", "1"), copyOf("b", "2")).Build()
	r := &reconciler{
		gatherer: gatherer{
			Cluster: lookup.Cluster{Cache: behind{}, Live: live},
			catalog: catalog.New(credential.DefaultLayout()),
			users:   &users.Counter{Index: usage.NewIndex()},
		},
		writer: copies.NewWriter(copies.Options{Client: live, Reader: live, Cache: behind{}, Clock: clock.RealClock{}, Holders: nobody{},
			Concurrency: 1, RetryBase: time.Second, RetryMax: time.Second}),
	}
	o := observed().deleting()
	o.credential.Spec.Scope.Level = v1alpha1.ScopeCluster
	o.credential.UID, o.wanted = "1", copies.Wanted{UID: "1", Name: "genericsecret-key"}
	left, err := r.clear(t.Context(), o)
	if err != nil || len(left) > 0 || len(o.report.Removed) != 1 {
		t.Fatalf("left %v, removed %v, error %v", left, o.report.Removed, err)
	}
	var secrets corev1.SecretList
	if err := live.List(t.Context(), &secrets); err != nil || len(secrets.Items) != 1 || secrets.Items[0].Namespace != "b" {
		t.Errorf("%d Secrets are left, error %v", len(secrets.Items), err)
	}
}

// late is a cache that still shows a Credential for some looks.
type late struct {
	behind
	shows *v1alpha1.Credential
	looks int
}

func (l *late) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	if c, ok := into.(*v1alpha1.Credential); ok && l.looks > 0 {
		l.looks--
		l.shows.DeepCopyInto(c)
		return nil
	}
	return l.behind.Get(ctx, key, into, options...)
}

// TestLetGoOnce: the pass that the last copy brings about comes before the cache shows
// that the Credential is gone, and has nothing to do.
func TestLetGoOnce(t *testing.T) {
	c := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "key", UID: "1", ResourceVersion: "7",
		Finalizers: []string{v1alpha1.Finalizer}, DeletionTimestamp: &metav1.Time{Time: time.Unix(1, 0)}},
		Spec: v1alpha1.CredentialSpec{Type: v1alpha1.Generic, Scope: v1alpha1.Scope{Level: v1alpha1.ScopeProject}}}
	scheme := apitest.Scheme(v1alpha1.AddToScheme)
	patches := 0
	live := fake.NewClientBuilder().WithScheme(scheme).WithObjects(c).WithInterceptorFuncs(interceptor.Funcs{
		Patch: func(ctx context.Context, to client.WithWatch, o client.Object, patch client.Patch, options ...client.PatchOption) error {
			patches++
			return to.Patch(ctx, o, patch, options...)
		}}).Build()
	crds := fake.NewClientBuilder().WithObjects(&metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition"},
		ObjectMeta: metav1.ObjectMeta{Name: strays.ResourceName},
	}).Build()
	cache := &late{shows: c, looks: 5}
	r := &reconciler{
		client: live,
		gatherer: gatherer{
			Cluster: lookup.Cluster{Cache: cache, Live: live},
			catalog: catalog.New(credential.DefaultLayout()),
			clock:   clock.RealClock{},
			users:   &users.Counter{Index: usage.NewIndex()},
		},
		guard: &strays.Guard{Live: crds, Clock: clock.RealClock{}},
		writer: copies.NewWriter(copies.Options{Client: live, Reader: live, Cache: cache, Clock: clock.RealClock{}, Holders: nobody{},
			Concurrency: 1, RetryBase: time.Second, RetryMax: time.Second}),
	}
	for range 2 {
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(c)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := live.Get(t.Context(), client.ObjectKeyFromObject(c), &v1alpha1.Credential{}); !apierrors.IsNotFound(err) {
		t.Errorf("it is still there: %v", err)
	}
	if patches != 1 {
		t.Errorf("to let it go took %d requests, not one", patches)
	}
}

// TestHeldMessageIsTold: an event has a limit, and what would be cut off is how to
// release the copies.
func TestHeldMessageIsTold(t *testing.T) {
	if len(heldMessage) > words.EventNote {
		t.Errorf("the message of a held Credential has %d bytes", len(heldMessage))
	}
}

// TestDeletionIsOneWrite: what is known of users is said of the same generation, so that
// nobody has to write it again.
func TestDeletionIsOneWrite(t *testing.T) {
	used := metav1.Condition{Type: v1alpha1.ConditionInUse, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonUsed, ObservedGeneration: 2}
	before := v1alpha1.CredentialStatus{Conditions: []metav1.Condition{used}}
	for name, o := range map[string]*observation{
		"waiting": observed().after(before).deleting(),
		"held":    observed().after(before).deleting().holding(),
	} {
		t.Run(name, func(t *testing.T) {
			status := computeStatus(o)
			for _, condition := range status.Conditions {
				if condition.ObservedGeneration != 3 {
					t.Errorf("%s is about generation %d", condition.Type, condition.ObservedGeneration)
				}
			}
			if o.credential.Status.Conditions[0].ObservedGeneration != 2 {
				t.Error("what the cache has was changed")
			}
		})
	}
}
