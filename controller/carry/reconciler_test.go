// SPDX-License-Identifier: Apache-2.0

package carry

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/client-go/util/workqueue"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/workload"
	"github.com/credence-dev/credence/usage"
)

func deployment(namespace, name string) usage.Uncarried {
	return usage.Uncarried{
		GroupKind:      schema.GroupKind{Group: "apps", Kind: "Deployment"},
		NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}, UID: types.UID("uid-" + name),
	}
}

// turns lets everybody take his turn, as a limiter does in time. Who asks whether it
// is his turn is told that it is not.
type turns struct {
	flowcontrol.RateLimiter
	taken int
	err   error
}

func (*turns) TryAccept() bool { return false }

func (l *turns) Wait(context.Context) error { l.taken++; return l.err }

// nothing takes down no event.
type nothing struct{ recorder.EventRecorder }

func (nothing) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {}

// stage is a reconciler with an API server that has these workloads.
type stage struct {
	*reconciler
	objects *dynamicfake.FakeDynamicClient
	turns   *turns
	clock   *clocktesting.FakePassiveClock
}

func newStage(t *testing.T, list ...usage.Uncarried) *stage {
	t.Helper()
	gvk := schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(gvk, meta.RESTScopeNamespace)
	s := &stage{
		objects: dynamicfake.NewSimpleDynamicClient(runtime.NewScheme()),
		turns:   &turns{}, clock: clocktesting.NewFakePassiveClock(time.Now()),
	}
	there := map[usage.Uncarried]bool{}
	for _, one := range list {
		there[one] = true
		live := &unstructured.Unstructured{}
		live.SetGroupVersionKind(gvk)
		live.SetNamespace(one.Namespace)
		live.SetName(one.Name)
		live.SetUID(one.UID)
		live.SetResourceVersion("1")
		live.SetAnnotations(map[string]string{v1alpha1.AnnotationCredentials: "openai"})
		if err := unstructured.SetNestedMap(live.Object, map[string]any{}, "spec", "template", "spec"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.objects.Resource(gvk.GroupVersion().WithResource("deployments")).Namespace(one.Namespace).Create(t.Context(), live, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	s.objects.ClearActions()
	s.reconciler = &reconciler{
		backlog: &backlog{list: there}, kinds: &workload.Registry{}, objects: s.objects, mapper: mapper,
		clock: s.clock, recorder: nothing{}, repair: true, patience: 5 * time.Minute, pace: s.turns,
	}
	return s
}

// asked counts the requests by verb, since it was last called.
func (s *stage) asked() map[string]int {
	verbs := map[string]int{}
	for _, action := range s.objects.Actions() {
		verbs[action.GetVerb()]++
	}
	s.objects.ClearActions()
	return verbs
}

func (s *stage) reconcile(t *testing.T, w usage.Uncarried) reconcile.Result {
	t.Helper()
	result, err := s.Reconcile(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// TestTurns: after an outage many workloads wait, and a few are patched in a second.
// Those that wait cost nothing.
func TestTurns(t *testing.T) {
	var list []usage.Uncarried
	for i := range 50 {
		list = append(list, deployment("team-a", fmt.Sprint("web-", i)))
	}
	s := newStage(t, list...)
	for _, one := range list {
		if again := s.reconcile(t, one).RequeueAfter; again != behind {
			t.Errorf("%s is looked at again after %s", one, again)
		}
	}
	if diff := cmp.Diff(map[string]int{"get": 50, "patch": 50}, s.asked()); diff != "" || s.turns.taken != 50 {
		t.Errorf("%d turns, requests (-want +got):\n%s", s.turns.taken, diff)
	}
	s.turns.err = errors.New("not now")
	if _, err := s.Reconcile(t.Context(), deployment("team-a", "web-0")); err != nil {
		t.Errorf("what is carried waits for a turn: %v", err)
	}
}

// TestLooksAgain: a workload stays on the list as long as it is not carried, so nothing
// tells of what happens to it meanwhile.
func TestLooksAgain(t *testing.T) {
	web := deployment("team-a", "web")
	s := newStage(t, web)
	s.reconcile(t, web)
	s.asked()
	if again := s.reconcile(t, web).RequeueAfter; again != soon {
		t.Errorf("carried already: again after %s", again)
	}
	client := s.objects.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}).Namespace("team-a")
	back := []byte(`{"metadata":{"annotations":{"credence.dev/carried":null}},"spec":{"template":{"metadata":null}}}`)
	for range 3 { // each time a longer pause, of which each part is soon over
		if _, err := client.Patch(t.Context(), "web", types.MergePatchType, back, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		s.asked()
		if again := s.reconcile(t, web).RequeueAfter; again <= 0 || again > soon {
			t.Errorf("taken back: again after %s", again)
		}
		if diff := cmp.Diff(map[string]int{"get": 1}, s.asked()); diff != "" {
			t.Errorf("in the pause (-want +got):\n%s", diff)
		}
		s.clock.SetTime(s.clock.Now().Add(time.Hour))
		s.reconcile(t, web)
		if diff := cmp.Diff(map[string]int{"get": 1, "patch": 1}, s.asked()); diff != "" {
			t.Errorf("after the pause (-want +got):\n%s", diff)
		}
	}
	s.backlog.replace(nil)
	if again := s.reconcile(t, web).RequeueAfter; again != 0 || len(s.asked()) != 0 {
		t.Errorf("what is not on the list any more: again after %s", again)
	}
}

// listed is an index that has a list.
type listed struct {
	list []usage.Uncarried
	tell func()
}

func (l *listed) Uncarried() []usage.Uncarried { return l.list }

func (l *listed) NotifyUncarried(tell func()) { l.tell = tell }

// queued is a queue of which nothing is taken.
type queued struct {
	workqueue.TypedInterface[usage.Uncarried]
	added []string
}

func (q *queued) Add(w usage.Uncarried) { q.added = append(q.added, w.Name) }

// TestBring: each workload is brought once, when it comes, or when its namespace
// becomes a project.
func TestBring(t *testing.T) {
	known := catalog.New(credential.DefaultLayout())
	project := map[string]string{v1alpha1.LabelProject: "a"}
	known.SetNamespace("team-a", project)
	known.SetNamespace("later", nil)
	index, queue := &listed{}, &queued{}
	w := &watch{facts: facts{index: index, catalog: known}, backlog: &backlog{}, memory: &memory{}}
	step := func(what string, news bool, list []usage.Uncarried, want ...string) {
		t.Helper()
		index.list, queue.added = list, nil
		w.news.Store(news)
		w.bring(queue)
		if diff := cmp.Diff(want, queue.added); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	web, db, late := deployment("team-a", "web"), deployment("team-a", "db"), deployment("later", "late")
	step("at first", true, []usage.Uncarried{web, db}, "web", "db")
	step("no news", false, []usage.Uncarried{web, db, late})
	step("elsewhere", true, []usage.Uncarried{web, db, late})
	if w.backlog.has(late) || !w.backlog.has(web) {
		t.Error("the list is not that of the projects")
	}
	known.SetNamespace("later", project)
	step("a project at last", false, []usage.Uncarried{web, db, late}, "late")
	step("one less", true, []usage.Uncarried{web, late})
	if w.backlog.has(db) {
		t.Error("what is carried is on the list")
	}
	step("it again", true, []usage.Uncarried{web, db, late}, "db")
	again := web
	again.UID = "another"
	step("another of the name", true, []usage.Uncarried{again, db, late}, "web")
}
