// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/usage"
)

var start = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

// known is an index that says what it is told to.
type known struct {
	unready bool
	users   usage.Users
	readers []usage.Reader
	asked   []usage.Query
	// named are the namespaces in which assets are named.
	named map[usage.Asset][]string
}

func (k *known) Synced() bool              { return !k.unready }
func (k *known) Notify(func(usage.Change)) {}

func (k *known) Users(q ...usage.Query) usage.Users {
	k.asked = append(k.asked, q...)
	return k.users
}

func (k *known) Summarize(names int, q ...usage.Query) usage.Summary {
	all := k.Users(q...)
	return usage.Summary{Workloads: len(all.Workloads), Templates: len(all.Templates), Automatic: len(all.Automatic),
		FirstWorkloads: all.Workloads[:min(names, len(all.Workloads))], FirstTemplates: all.Templates[:min(names, len(all.Templates))]}
}

func (k *known) SummarizeBriefly(names int, q ...usage.Query) usage.Summary {
	return k.Summarize(names, q...)
}

func (k *known) Namespaces(kind, name string) []string {
	return k.named[usage.Asset{Kind: kind, Name: name}]
}
func (k *known) IsUsed(...usage.Query) bool           { return false }
func (k *known) UsedIn(...usage.Query) []string       { return nil }
func (k *known) Readers(usage.Query) []usage.Reader   { return k.readers }
func (k *known) Injected(...usage.Query) []usage.User { return nil }

func user(kind, namespace, name string) usage.User {
	return usage.User{Kind: kind, NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}
}

// stage is a reconciler with one credential for the cluster and the projects a and
// b.
type stage struct {
	*testing.T
	Reconciler
	index  *known
	clock  *clocktesting.FakePassiveClock
	writes int
	refuse error
}

var key = types.NamespacedName{Namespace: "system", Name: "key"}

func newStage(t *testing.T, objects ...client.Object) *stage {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c := &v1alpha1.Credential{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Generation: 1},
		Spec:       v1alpha1.CredentialSpec{Type: v1alpha1.Generic, Scope: v1alpha1.Scope{Level: v1alpha1.ScopeCluster}},
		Status:     v1alpha1.CredentialStatus{ObservedGeneration: 1},
	}
	layout := credential.DefaultLayout()
	layout.SystemNamespace = key.Namespace
	s := &stage{T: t, index: &known{}, clock: clocktesting.NewFakePassiveClock(start)}
	cluster := fake.NewClientBuilder().WithScheme(scheme).WithObjects(append(objects, c)...).WithStatusSubresource(c).
		WithIndex(c, IndexSecret, func(o client.Object) []string { return []string{credential.KubernetesName(o.(*v1alpha1.Credential))} }).
		WithInterceptorFuncs(interceptor.Funcs{SubResourceUpdate: func(ctx context.Context, c client.Client, _ string, o client.Object, options ...client.SubResourceUpdateOption) error {
			s.writes++
			if s.refuse != nil {
				return s.refuse
			}
			return c.Status().Update(ctx, o, options...)
		}}).Build()
	into := catalog.New(layout)
	for _, project := range []string{"a", "b"} {
		into.SetNamespace(project, map[string]string{v1alpha1.LabelProject: project})
	}
	into.SetNamespace("plain", nil)
	into.Set(catalog.NewEntry(c))
	s.Reconciler = Reconciler{
		Counter: Counter{Index: s.index, Catalog: into, Cache: cluster},
		Client:  cluster, Clock: s.clock, Interval: time.Second, LagInterval: 30 * time.Second,
	}
	return s
}

// run reconciles and returns when to come back.
func (s *stage) run() time.Duration {
	s.Helper()
	result, err := s.Reconcile(s.Context(), ctrl.Request{NamespacedName: key})
	if err != nil {
		s.Fatal(err)
	}
	return result.RequeueAfter
}

// expect checks how many writes there were, and what the status is.
func (s *stage) expect(writes int, used v1alpha1.UsedBy) {
	s.Helper()
	if s.writes != writes {
		s.Errorf("%d writes, want %d", s.writes, writes)
	}
	var c v1alpha1.Credential
	if err := s.Cache.Get(s.Context(), key, &c); err != nil {
		s.Fatal(err)
	}
	if diff := cmp.Diff(used, c.Status.UsedBy); diff != "" {
		s.Errorf("used by (-want +got):\n%s", diff)
	}
}

// Many changes at once are counted once, and the last one is never lost.
func TestUsersAreCountedOnceASecond(t *testing.T) {
	s := newStage(t)
	if wait := s.run(); wait != 0 {
		t.Errorf("comes back in %s", wait)
	}
	s.expect(1, v1alpha1.UsedBy{})
	s.index.users.Workloads = []usage.User{user("Deployment", "a", "web")}
	for range 100 {
		s.clock.SetTime(s.clock.Now().Add(time.Millisecond))
		if wait := s.run(); wait <= 0 || wait > time.Second {
			t.Fatalf("comes back in %s", wait)
		}
	}
	if len(s.index.asked) != 1 {
		t.Errorf("counted %d times", len(s.index.asked))
	}
	s.clock.SetTime(start.Add(time.Second))
	if wait := s.run(); wait != 0 {
		t.Errorf("comes back in %s", wait)
	}
	s.expect(2, v1alpha1.UsedBy{Total: 1, Workloads: 1, Names: []string{"Deployment a/web"}})
	if diff := cmp.Diff(usage.Query{Name: "key", Secret: "genericsecret-key", Namespaces: []string{"a", "b"}}, s.index.asked[0]); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// What changes with every rollout is told every 30 seconds, unless there is
// something to tell anyway.
func TestLaggingUsers(t *testing.T) {
	s := newStage(t)
	s.run()
	at := func(after time.Duration, automatic int) time.Duration {
		t.Helper()
		s.index.users.Automatic = nil
		for i := range automatic {
			s.index.users.Automatic = append(s.index.users.Automatic, user("Pod", "a", fmt.Sprint(i)))
		}
		s.clock.SetTime(start.Add(after))
		return s.run()
	}
	if wait := at(2*time.Second, 3); wait != 28*time.Second {
		t.Errorf("comes back in %s", wait)
	}
	s.expect(1, v1alpha1.UsedBy{})
	if wait := at(10*time.Second, 5); wait != 20*time.Second {
		t.Errorf("comes back in %s", wait)
	}
	if wait := at(30*time.Second, 5); wait != 0 {
		t.Errorf("comes back in %s", wait)
	}
	s.expect(2, v1alpha1.UsedBy{Automatic: 5})
	at(40*time.Second, 7)
	s.index.users.Templates = []usage.User{user("PodTemplate", "b", "kit")}
	at(42*time.Second, 8)
	s.expect(3, v1alpha1.UsedBy{Total: 1, Templates: 1, Automatic: 8, Names: []string{"PodTemplate b/kit"}})
	if wait := at(44*time.Second, 8); wait != 0 {
		t.Errorf("nothing changed, and it comes back in %s", wait)
	}
	s.expect(3, v1alpha1.UsedBy{Total: 1, Templates: 1, Automatic: 8, Names: []string{"PodTemplate b/kit"}})
}

// An index that is not complete changes nothing, and neither does a credential that
// the other controller has not spoken about.
func TestNothingIsToldTooSoon(t *testing.T) {
	s := newStage(t)
	s.index.unready = true
	s.index.users.Workloads = []usage.User{user("Deployment", "a", "web")}
	s.run()
	s.expect(0, v1alpha1.UsedBy{})
	s.index.unready = false
	var c v1alpha1.Credential
	if err := s.Cache.Get(t.Context(), key, &c); err != nil {
		t.Fatal(err)
	}
	c.Status.ObservedGeneration = 0
	if err := s.Client.Status().Update(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	s.run()
	s.expect(1, v1alpha1.UsedBy{}) // that of the test
}

func TestOutdated(t *testing.T) {
	copied := func(rotated time.Time) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "genericsecret-key",
			Labels: map[string]string{v1alpha1.LabelCopyOf: "key", v1alpha1.LabelManagedBy: v1alpha1.ManagedByCredence},
			Annotations: map[string]string{v1alpha1.AnnotationCopyOfUID: "1", v1alpha1.AnnotationFingerprint: "1:1",
				v1alpha1.AnnotationRotatedAt: rotated.Format(time.RFC3339)}}}
	}
	reads := func(namespace string, since time.Time) usage.Reader {
		return usage.Reader{Pod: types.NamespacedName{Namespace: namespace, Name: "p"}, StartedAt: since}
	}
	rotated := &metav1.Time{Time: start}
	for name, test := range map[string]struct {
		rotated *metav1.Time
		copied  *corev1.Secret
		reader  usage.Reader
		want    int32
	}{
		"never rotated":                  {nil, nil, reads("a", start), 0},
		"before":                         {rotated, nil, reads("a", start.Add(-time.Second)), 1},
		"in the same second":             {rotated, nil, reads("a", start), 1},
		"after":                          {rotated, nil, reads("a", start.Add(time.Second)), 0},
		"does not run":                   {rotated, nil, reads("a", time.Time{}), 0},
		"before the copy followed":       {rotated, copied(start.Add(time.Minute)), reads("a", start.Add(time.Second)), 1},
		"after the copy followed":        {rotated, copied(start.Add(time.Minute)), reads("a", start.Add(61*time.Second)), 0},
		"the copy of another namespace":  {rotated, copied(start.Add(time.Minute)), reads("b", start.Add(time.Second)), 0},
		"only the copy was another once": {nil, copied(start), reads("a", start.Add(-time.Second)), 1},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []client.Object
			if test.copied != nil {
				objects = append(objects, test.copied)
			}
			s := newStage(t, objects...)
			s.index.readers = []usage.Reader{test.reader}
			tally, err := s.Count(t.Context(), &v1alpha1.Credential{
				ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
				Spec:       v1alpha1.CredentialSpec{Type: v1alpha1.Generic, Scope: v1alpha1.Scope{Level: v1alpha1.ScopeCluster}},
			}, test.rotated)
			if err != nil || tally.OutdatedPods != test.want {
				t.Errorf("%d, want %d (%v)", tally.OutdatedPods, test.want, err)
			}
		})
	}
}

func TestConcerned(t *testing.T) {
	s := newStage(t)
	for name, test := range map[string]struct {
		change usage.Change
		want   int
	}{
		"by name":              {usage.Change{Namespace: "a", Credentials: []string{"key"}}, 1},
		"by Secret":            {usage.Change{Namespace: "a", Secrets: []string{"genericsecret-key"}}, 1},
		"something else":       {usage.Change{Namespace: "a", Credentials: []string{"other"}, Secrets: []string{"key"}}, 0},
		"outside of projects":  {usage.Change{Namespace: "plain", Credentials: []string{"key"}, Secrets: []string{"genericsecret-key"}}, 0},
		"an unknown namespace": {usage.Change{Namespace: "unknown", Credentials: []string{"key"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := s.Concerned(t.Context(), test.change); err != nil || len(got) != test.want || test.want > 0 && got[0] != key {
				t.Errorf("%v (%v)", got, err)
			}
		})
	}
}

func TestTally(t *testing.T) {
	for name, test := range map[string]struct {
		users   v1alpha1.UsedBy
		reason  string
		message string
	}{
		"nobody":    {v1alpha1.UsedBy{}, "NotUsed", "nothing uses the credential"},
		"one":       {v1alpha1.UsedBy{Total: 1, Workloads: 1}, "Used", "used by 1 workload; usedBy names them"},
		"both":      {v1alpha1.UsedBy{Total: 3, Workloads: 2, Templates: 1}, "Used", "used by 2 workloads and 1 template; usedBy names them"},
		"all":       {v1alpha1.UsedBy{Total: 9, Workloads: 2, Templates: 1, Environments: 1, DataSources: 5}, "Used", "used by 2 workloads, 1 template, 1 environment and 5 data sources; usedBy names them"},
		"automatic": {v1alpha1.UsedBy{Automatic: 30}, "NotUsed", "nothing names the credential; workloads use it as an automatic pull secret (usedBy.automatic), which does not keep it from being deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			status := &v1alpha1.CredentialStatus{ObservedGeneration: 2}
			(&Tally{UsedBy: test.users}).Set(status, start)
			is := status.Conditions[0]
			if diff := cmp.Diff(test.users, status.UsedBy); is.Reason != test.reason || is.Message != test.message || is.ObservedGeneration != 2 || diff != "" {
				t.Errorf("used by %+v, InUse %+v", status.UsedBy, is)
			}
			again := status.DeepCopy()
			(&Tally{UsedBy: test.users}).Set(again, start.Add(time.Hour))
			if Compare(status, again) != Same {
				t.Error("an hour later it says something else")
			}
			(*Tally)(nil).Set(again, start)
			if diff := cmp.Diff(status, again); diff != "" {
				t.Errorf("what was known is forgotten:\n%s", diff)
			}
		})
	}
}
