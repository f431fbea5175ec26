// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/usage"
	"github.com/credence-dev/credence/usage/object"
)

// stage is a reconciler with one environment, for a credential that there is not.
type stage struct {
	*testing.T
	reconciler
	clock  *clocktesting.FakePassiveClock
	told   chan string
	writes int
	refuse error
}

var torch = catalog.Object{Kind: asset.Environment, NamespacedName: client.ObjectKey{Namespace: "system", Name: "torch"}}

func newStage(t *testing.T) *stage {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	e := environment("key")
	e.Spec.Scope.Level = v1alpha1.ScopeCluster
	s := &stage{T: t, clock: clocktesting.NewFakePassiveClock(noon)}
	cluster := fake.NewClientBuilder().WithScheme(scheme).WithObjects(e).WithStatusSubresource(e).
		WithInterceptorFuncs(interceptor.Funcs{SubResourceUpdate: func(ctx context.Context, c client.Client, _ string, o client.Object, options ...client.SubResourceUpdateOption) error {
			s.writes++
			if s.refuse != nil {
				return s.refuse
			}
			return c.Status().Update(ctx, o, options...)
		}}).Build()
	layout := credential.DefaultLayout()
	layout.SystemNamespace = "system"
	known, index := catalog.New(layout), usage.NewIndex()
	known.SetAsset(asset.New(e))
	for _, one := range object.BuiltIn {
		index.Replace(one.GroupKind(), nil)
	}
	recorder := events.NewFakeRecorder(10)
	s.told = recorder.Events
	s.reconciler = reconciler{counter: &users.Counter{Index: index, Catalog: known}, cache: cluster, client: cluster,
		recorder: recorder, clock: s.clock, interval: time.Second}
	return s
}

// run reconciles and returns when to come back.
func (s *stage) run() time.Duration {
	s.Helper()
	result, err := s.Reconcile(s.Context(), torch)
	if err != nil {
		s.Fatal(err)
	}
	return result.RequeueAfter
}

// expect checks what was told since the last time.
func (s *stage) expect(writes int, told ...string) {
	s.Helper()
	if s.writes != writes {
		s.Errorf("%d writes, want %d", s.writes, writes)
	}
	var got []string
	for len(s.told) > 0 {
		kind, rest, _ := strings.Cut(<-s.told, " ")
		reason, _, _ := strings.Cut(rest, " ")
		got = append(got, kind+" "+reason)
	}
	if diff := cmp.Diff(told, got); diff != "" {
		s.Errorf("told (-want +got):\n%s", diff)
	}
}

// TestOneWrite: each change is one write, that of Ready an event, and both wait for
// their turn.
func TestOneWrite(t *testing.T) {
	s := newStage(t)
	if wait := s.run(); wait != 0 {
		t.Errorf("comes back in %s", wait)
	}
	s.expect(1, "Warning ReferenceNotFound")
	s.counter.Catalog.Set(catalog.NewEntry(&v1alpha1.Credential{
		ObjectMeta: metav1.ObjectMeta{Namespace: "system", Name: "key"},
		Spec:       v1alpha1.CredentialSpec{Type: v1alpha1.Generic, Scope: v1alpha1.Scope{Level: v1alpha1.ScopeCluster}},
		Status:     v1alpha1.CredentialStatus{ObservedGeneration: 1},
	}))
	if wait := s.run(); wait != time.Second {
		t.Errorf("comes back in %s", wait)
	}
	s.expect(1)
	for range 3 {
		s.clock.SetTime(s.clock.Now().Add(time.Second))
		s.run()
	}
	s.expect(2, "Normal Resolved")
}

// TestRefusedWritesBackOff: a status that is refused is written ever more rarely,
// however often it is asked for, and nothing is told of it.
func TestRefusedWritesBackOff(t *testing.T) {
	s := newStage(t)
	s.refuse = errors.New("refused")
	for s.clock.Since(noon) < 10*time.Minute {
		if _, err := s.Reconcile(t.Context(), torch); err == nil && s.writes == 0 {
			t.Fatal("it is not told")
		}
		s.clock.SetTime(s.clock.Now().Add(200 * time.Millisecond))
	}
	if s.writes > 12 {
		t.Errorf("%d writes in 10 minutes", s.writes)
	}
	s.refuse = nil
	s.clock.SetTime(s.clock.Now().Add(2 * time.Minute))
	before := s.writes
	s.run()
	if s.writes != before+1 || len(s.told) != 1 {
		t.Errorf("%d writes, %d events", s.writes-before, len(s.told))
	}
}

// TestGone: one that is gone is forgotten.
func TestGone(t *testing.T) {
	s := newStage(t)
	s.run()
	if err := s.client.Delete(t.Context(), environment()); err != nil {
		t.Fatal(err)
	}
	s.clock.SetTime(noon.Add(time.Minute))
	if wait := s.run(); wait != 0 || s.pace.Last(torch) != (users.Turn{}) {
		t.Errorf("comes back in %s, %v", wait, s.pace.Last(torch))
	}
}
