// SPDX-License-Identifier: Apache-2.0

package strays

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
)

// world is what a session sees: one copy in the cache, whose Credential it does
// not have, and what the API server has.
type world struct {
	*remover
	*testing.T
	live  client.WithWatch
	clock *clocktesting.FakeClock
	// delete is called before a copy is deleted.
	delete func()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme, coordinationv1.AddToScheme, apiextensionsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{T: t, clock: clocktesting.NewFakeClock(time.Unix(1e9, 0)), delete: func() {}}
	w.live = fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		&apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: ResourceName}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{
			Namespace: "a", Name: "genericsecret-key",
			Labels:      map[string]string{v1alpha1.LabelCopyOf: "key", v1alpha1.LabelManagedBy: v1alpha1.ManagedByCredence},
			Annotations: map[string]string{v1alpha1.AnnotationCopyOfUID: "1", v1alpha1.AnnotationFingerprint: "i:f"},
		}},
	).WithInterceptorFuncs(interceptor.Funcs{Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
		w.delete()
		return c.Delete(ctx, object, options...)
	}}).Build()
	lease := types.NamespacedName{Namespace: "install", Name: LeaseName}
	w.remover = &remover{
		Cluster: lookup.Cluster{Cache: noCredentials{w.live}, Live: w.live},
		catalog: catalog.New(credential.Layout{}),
		guard:   &Guard{Live: w.live, Clock: w.clock, Lease: lease, Interval: time.Minute},
		kept:    &Kept{Client: w.live, Live: w.live, Lease: lease},
		writer: copies.NewWriter(copies.Options{Client: w.live, Reader: w.live, Cache: w.live, Clock: clock.RealClock{}, Holders: nobody{},
			Concurrency: 1, RetryBase: time.Second, RetryMax: time.Second}),
		recorder: &events.FakeRecorder{},
		clock:    w.clock,
		patience: time.Minute,
		held:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "held"}, []string{"reason"}),
		since:    map[types.UID]time.Time{},
	}
	return w
}

// nobody needs a copy.
type nobody struct{}

func (nobody) Known(copies.Copy) (string, bool) { return "", true }

func (nobody) Live(context.Context, types.NamespacedName) (string, error) { return "", nil }

// noCredentials is a cache that lags behind.
type noCredentials struct{ client.Reader }

func (c noCredentials) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if _, ok := list.(*v1alpha1.CredentialList); ok {
		return nil
	}
	return c.Reader.List(ctx, list, options...)
}

func (w *world) credential(name string, uid types.UID) {
	w.Helper()
	c := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: "home", Name: name, UID: uid}}
	if err := w.live.Create(w.Context(), c); err != nil {
		w.Fatal(err)
	}
}

// session runs one, and returns how many copies are left.
func (w *world) session() int {
	w.Helper()
	if _, err := w.Reconcile(w.Context(), Session{}); err != nil {
		w.Fatal(err)
	}
	var list corev1.SecretList
	if err := w.live.List(w.Context(), &list); err != nil {
		w.Fatal(err)
	}
	return len(list.Items)
}

// TestStraysAreCertain: what the cache does not have may exist all the same.
func TestStraysAreCertain(t *testing.T) {
	for name, test := range map[string]struct {
		name string
		uid  types.UID
		left int
	}{
		"gone":                                {"other", "2", 0},
		"a copy that was relabelled":          {"other", "1", 1},
		"the cache lags behind":               {"key", "1", 1},
		"the cache lacks the one of a backup": {"key", "2", 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.credential(test.name, test.uid)
			for range 3 {
				w.session()
				w.clock.Step(w.patience)
			}
			if left := w.session(); left != test.left {
				t.Errorf("%d copies are left", left)
			}
		})
	}
}

// TestHeldStraysWaitAnew: what was held for long does not go as soon as the first
// Credential is there again.
func TestHeldStraysWaitAnew(t *testing.T) {
	w := newWorld(t)
	w.credential("other", "3")
	w.session()
	if err := w.live.Delete(t.Context(), &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: "home", Name: "other"}}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.clock.Step(w.patience)
		if left := w.session(); left != 1 {
			t.Fatal("it is not held")
		}
	}
	w.credential("other", "2")
	if left := w.session(); left != 1 {
		t.Error("it went at once")
	}
	w.clock.Step(w.patience)
	if left := w.session(); left != 0 {
		t.Error("it does not go")
	}
}

// TestLateRemovalsCount: the guard counts copies that go after their session.
func TestLateRemovalsCount(t *testing.T) {
	w := newWorld(t)
	answer := make(chan struct{})
	w.delete = func() { <-answer }
	w.credential("other", "2")
	w.session()
	w.clock.Step(w.patience)
	w.session()
	close(answer)
	w.idle(strayUID)
	if left := w.session(); left != 0 {
		t.Error("it does not go")
	}
	if count := w.removed.count(w.clock.Now()); count != 1 {
		t.Errorf("%d count", count)
	}
}

// idle waits until nothing is under way for a Credential.
func (w *world) idle(uid types.UID) {
	w.Helper()
	if err := wait.PollUntilContextTimeout(w.Context(), time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		return !w.writer.Busy(uid), nil
	}); err != nil {
		w.Fatal(err)
	}
}

// TestGoneAreForgotten: nobody tells the writer that a Credential is gone whose
// finalizer was stripped.
func TestGoneAreForgotten(t *testing.T) {
	w := newWorld(t)
	answer := make(chan struct{})
	w.delete = func() { <-answer }
	for _, sessions := range []int{0, 1} {
		gone := copies.Copy{NamespacedName: types.NamespacedName{Namespace: "b", Name: "genericsecret-key"}, UID: "c", CredentialUID: "9"}
		steps := copies.Plan(copies.Situation{Existing: []copies.Copy{gone}})
		steps[0].AtOnce = true
		w.writer.Spread(t.Context(), copies.Wanted{UID: "9"}, steps)
		answer <- struct{}{}
		w.idle("9")
		for range sessions {
			w.session()
		}
		if late := w.writer.Late("9"); len(late) != 1-sessions {
			t.Errorf("after %d sessions, remembered are %v", sessions, late)
		}
	}
}
