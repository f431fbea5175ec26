// SPDX-License-Identifier: Apache-2.0

package restart

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/usage"
)

var web = usage.Workload{APIVersion: "apps/v1", Kind: "Deployment", NamespacedName: types.NamespacedName{Namespace: "team-a", Name: "web"}, UID: "web"}

func deployment() *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "web", UID: "web"}}
}

// recorderFake takes down events.
type recorderFake struct{ *events.FakeRecorder }

func (recorderFake) AnnotatedEventf(runtime.Object, runtime.Object, map[string]string, string, string, string, string, ...any) {
}

// paceFake counts how often somebody waited.
type paceFake struct {
	count int
	err   error
}

func (p *paceFake) Wait(context.Context) error {
	p.count++
	return p.err
}

// stage is a cluster with one credential that changed and one pod that reads it.
type stage struct {
	*reconciler
	pace     *paceFake
	told     chan string
	live     client.Client
	patching func() error // called before each patch
}

func newStage(t *testing.T, objects ...client.Object) *stage {
	known := catalog.New(credential.DefaultLayout())
	known.SetNamespace("team-a", map[string]string{v1alpha1.LabelProject: "a"})
	c := rotated("key", 10)
	known.Set(catalog.NewEntry(c))
	live := clientOf(t, append(objects, c, copied("k:2"))...)
	recorder := events.NewFakeRecorder(20)
	s := &stage{pace: &paceFake{}, told: recorder.Events, live: live, patching: func() error { return nil }}
	s.reconciler = &reconciler{
		facts: facts{catalog: known, cache: live, index: indexFake{"genericsecret-key": {{Pod: types.NamespacedName{Namespace: "team-a", Name: "web-1"}, Workload: web, StartedAt: at(0)}}}},
		live:  live,
		client: interceptor.NewClient(live, interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, options ...client.PatchOption) error {
			if err := s.patching(); err != nil {
				return err
			}
			return c.Patch(ctx, o, p, options...)
		}}),
		clock: clocktesting.NewFakePassiveClock(at(11)), recorder: recorderFake{recorder}, pace: s.pace, patience: testPatience,
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "restarts"}, []string{"kind", "outcome"}),
	}
	return s
}

func (s *stage) restartedFor(t *testing.T) string {
	t.Helper()
	d := &appsv1.Deployment{}
	if err := s.live.Get(t.Context(), web.NamespacedName, d); err != nil {
		t.Fatal(err)
	}
	return d.Spec.Template.Annotations[v1alpha1.AnnotationRestartedFor]
}

func TestReconcile(t *testing.T) {
	s := newStage(t, deployment())
	for range 3 {
		if result, err := s.Reconcile(t.Context(), web); err != nil || result.RequeueAfter != testPatience {
			t.Fatalf("got %v, %v", result, err)
		}
	}
	if got := s.restartedFor(t); got != "k:2" {
		t.Errorf("it is restarted for %q", got)
	}
	if s.pace.count != 1 || len(s.told) != 1 || testutil.ToFloat64(s.restarts.WithLabelValues("Deployment", "restarted")) != 1 {
		t.Errorf("it waited %d times and told %d events", s.pace.count, len(s.told))
	}
	if told := <-s.told; told != "Normal RestartedForCredential restarted for new values of credential key" {
		t.Errorf("it told: %s", told)
	}
}

// TestReconcileNothing has what there is nothing to restart of.
func TestReconcileNothing(t *testing.T) {
	another, going := deployment(), deployment()
	another.UID = "another"
	going.DeletionTimestamp, going.Finalizers = &metav1.Time{Time: at(0)}, []string{"example.com/x"}
	set := web
	set.Kind = "ReplicaSet"
	for name, test := range map[string]struct {
		objects []client.Object
		of      usage.Workload
	}{
		"gone":                      {nil, web},
		"another of its name":       {[]client.Object{another}, web},
		"being deleted":             {[]client.Object{going}, web},
		"a kind that does not roll": {[]client.Object{deployment()}, set},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, test.objects...)
			s.patching = func() error { return errors.New("it is patched") }
			if result, err := s.Reconcile(t.Context(), test.of); err != nil || result.RequeueAfter != 0 {
				t.Errorf("got %v, %v", result, err)
			}
		})
	}
}

// TestReconcileSpreads: what has to wait is not lost.
func TestReconcileSpreads(t *testing.T) {
	s := newStage(t, deployment())
	s.pace.err = context.DeadlineExceeded
	if result, err := s.Reconcile(t.Context(), web); err != nil || result.RequeueAfter == 0 || s.restartedFor(t) != "" {
		t.Errorf("got %v, %v", result, err)
	}
}

// TestReconcileRefused: it is told once, without the API server's words.
func TestReconcileRefused(t *testing.T) {
	resource := schema.GroupResource{Group: "apps", Resource: "deployments"}
	s := newStage(t, deployment())
	s.patching = func() error { return apierrors.NewForbidden(resource, "web", errors.New("seen: not-a-secret")) }
	for range 3 {
		_, err := s.Reconcile(t.Context(), web)
		if err == nil || !strings.Contains(err.Error(), "Forbidden") || strings.Contains(err.Error(), "not-a-secret") {
			t.Errorf("the error is %v", err)
		}
	}
	if len(s.told) != 1 {
		t.Fatalf("it is told %d times", len(s.told))
	}
	if told := <-s.told; !strings.Contains(told, "RestartRefused") || strings.Contains(told, "not-a-secret") {
		t.Errorf("it told: %s", told)
	}
	s.patching = func() error { return nil }
	if _, err := s.Reconcile(t.Context(), web); err != nil || s.restartedFor(t) != "k:2" {
		t.Errorf("it is not restarted: %v", err)
	}
}

// TestReconcileConflict: somebody writes the workload all the time.
func TestReconcileConflict(t *testing.T) {
	for conflicts, done := range map[int]bool{3: true, 1000: false} {
		s := newStage(t, deployment())
		left := conflicts
		s.patching = func() error {
			if left--; left >= 0 {
				return apierrors.NewConflict(schema.GroupResource{Group: "apps", Resource: "deployments"}, "web", errors.New("no"))
			}
			return nil
		}
		result, err := s.Reconcile(t.Context(), web)
		if err != nil || result.RequeueAfter == 0 || (s.restartedFor(t) == "k:2") != done {
			t.Errorf("after %d conflicts: %v, %v", conflicts, result, err)
		}
	}
}

func TestAsksInVain(t *testing.T) {
	silent := rotated("key", 10, func(c *v1alpha1.Credential) { c.Spec.Rotation = nil })
	for name, test := range map[string]struct {
		before any
		after  *v1alpha1.Credential
		want   bool
	}{
		"made so":              {nil, rotated("key", 10), true},
		"made so now":          {silent, rotated("key", 10), true},
		"values changed":       {rotated("key", 10), rotated("key", 11), true},
		"for the first time":   {rotated("key", 10, never), rotated("key", 11), true},
		"nothing changed":      {rotated("key", 10), rotated("key", 10), false},
		"does not ask":         {nil, silent, false},
		"does not ask anymore": {rotated("key", 10), silent, false},
	} {
		if got := asksInVain(test.before, test.after); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
