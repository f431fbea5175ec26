// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// stage is one copy that is to go, with everybody who may need it.
type stage struct {
	*testing.T
	*Writer
	cluster client.Client
	clock   *clocktesting.FakeClock
	wanted  Wanted
	seen    Copy

	unready bool
	known   string
	live    func() (string, error)
	lists   int
	// delete is called instead of the deletion, if there is one.
	delete func(real func() error) error
	create func(real func() error) error
	steps  []string
}

func (s *stage) Known(Copy) (string, bool) { return s.known, !s.unready }

func (s *stage) Live(context.Context, types.NamespacedName) (string, error) {
	s.lists++
	s.steps = append(s.steps, "list")
	return s.live()
}

func newStage(t *testing.T) *stage {
	t.Helper()
	meta := marked(func(m *metav1.PartialObjectMetadata) { m.Namespace, m.Name, m.UID = "a", "genericsecret-key", "c" })
	s := &stage{T: t, clock: clocktesting.NewFakeClock(time.Unix(1e9, 0)), live: func() (string, error) { return "", nil }}
	s.cluster = fake.NewClientBuilder().WithObjects(&corev1.Secret{ObjectMeta: meta.ObjectMeta, Type: corev1.SecretTypeOpaque, Data: map[string][]byte{"k": []byte("not-a-secret")}}).
		WithInterceptorFuncs(interceptor.Funcs{
			Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
				s.steps = append(s.steps, "delete")
				if s.delete == nil {
					return c.Delete(ctx, object, options...)
				}
				return s.delete(func() error { return c.Delete(ctx, object, options...) })
			},
			Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
				s.steps = append(s.steps, "create")
				if s.create == nil {
					return c.Create(ctx, object, options...)
				}
				return s.create(func() error { return c.Create(ctx, object, options...) })
			},
		}).Build()
	s.Writer = NewWriter(Options{Client: s.cluster, Reader: s.cluster, Cache: s.cluster, Clock: s.clock, Holders: s, Drain: 75 * time.Second,
		Concurrency: 1, RetryBase: time.Second, RetryMax: time.Second})
	s.wanted = Wanted{UID: "1", Name: "genericsecret-key", Ending: true}
	s.seen, _ = Read(s.read())
	return s
}

func (s *stage) read() *metav1.PartialObjectMetadata {
	s.Helper()
	secret := Secret()
	if err := s.cluster.Get(s.Context(), types.NamespacedName{Namespace: "a", Name: "genericsecret-key"}, secret); client.IgnoreNotFound(err) != nil {
		s.Fatal(err)
	}
	return secret
}

// pass makes one over the copy, if there is one.
func (s *stage) pass() Report {
	s.Helper()
	var existing []Copy
	if c, ours := Read(s.read()); ours {
		existing = append(existing, c)
	}
	return s.Spread(s.Context(), s.wanted, Plan(Situation{Wanted: s.wanted, Existing: existing}))
}

// expect makes a pass and says whether the copy is there, why, and when to come back.
func (s *stage) expect(reason string, says string, retry time.Duration) {
	s.Helper()
	report := s.pass()
	if reason == "" {
		if len(report.Left) > 0 || s.read().UID != "" {
			s.Fatalf("it is still there: %+v", report.Left)
		}
		return
	}
	if len(report.Left) != 1 || report.Left[0].Reason != reason || !strings.Contains(report.Left[0].Message, says) || report.RetryAfter != retry || len(report.Removed) > 0 {
		s.Fatalf("the report is %+v, want %s: %s, and back in %s", report, reason, says, retry)
	}
	if s.read().UID == "" {
		s.Fatal("the copy is gone")
	}
}

// TestDrain is the story of a copy that goes as it should.
func TestDrain(t *testing.T) {
	s := newStage(t)
	s.unready = true
	s.expect(v1alpha1.IssueDraining, "not known yet", later)
	s.unready, s.known = false, "Deployment a/web"
	s.expect(v1alpha1.IssueInUse, "still used by Deployment a/web", inUseRetry)
	if s.lists > 0 {
		t.Error("it listed the pods of a namespace that the index says uses it")
	}
	s.known = ""
	s.live = func() (string, error) { return "Pod a/late", nil }
	s.clock.Step(sayAgain)
	s.expect(v1alpha1.IssueInUse, "still used by Pod a/late", later)
	s.live = func() (string, error) { return "", nil }
	s.clock.Step(later)
	s.expect(v1alpha1.IssueDraining, "it goes after 2001-09-09T01:48:01Z", 75*time.Second)
	for range 3 {
		s.clock.Step(20 * time.Second)
		s.expect(v1alpha1.IssueDraining, "it goes after 2001-09-09T01:48:01Z", time.Unix(1e9+81, 0).Sub(s.clock.Now()))
	}
	if s.lists != 2 {
		t.Errorf("%d lists", s.lists)
	}
	s.clock.Step(15 * time.Second)
	s.steps = nil
	s.expect("", "", 0)
	if want := []string{"list", "delete", "list"}; !slices.Equal(s.steps, want) {
		t.Errorf("it did %v, want %v", s.steps, want)
	}
	if s.Owes("1") {
		t.Error("it is not settled")
	}
	last, ok := s.Recall("1")
	if !ok || string(last.values["k"]) != "not-a-secret" || last.Name != "genericsecret-key" {
		t.Errorf("remembered is %v", last)
	}
	if s.Forget("1"); len(s.owed.last) > 0 {
		t.Error("it is remembered for ever")
	}
}

// TestDrainBeginsAnew: whenever something needs the copy, or the drain was not looked
// after.
func TestDrainBeginsAnew(t *testing.T) {
	for name, interrupt := range map[string]func(*stage){
		"the index shows a user": func(s *stage) {
			s.known = "Pod a/p"
			s.expect(v1alpha1.IssueInUse, "Pod a/p", inUseRetry)
			s.known = ""
		},
		"the index is not complete": func(s *stage) {
			s.unready = true
			s.expect(v1alpha1.IssueDraining, "not known", later)
			s.unready = false
		},
		"the second list shows a user": func(s *stage) {
			s.clock.Step(75 * time.Second)
			s.live = func() (string, error) { return "Pod a/p", nil }
			s.expect(v1alpha1.IssueInUse, "Pod a/p", later)
			s.live = func() (string, error) { return "", nil }
			s.clock.Step(later)
		},
		"it is to stay meanwhile": func(s *stage) {
			s.Spread(s.Context(), s.wanted, []Step{{Action: Keep, Namespace: "a", Copy: s.seen}})
		},
		"nobody looks": func(s *stage) { s.clock.Step(75*time.Second + abandoned + 1) },
		"the leader changes": func(s *stage) {
			s.drain.copies = map[types.UID]map[types.NamespacedName]*draining{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.expect(v1alpha1.IssueDraining, "", 75*time.Second)
			s.clock.Step(70 * time.Second)
			interrupt(s)
			s.expect(v1alpha1.IssueDraining, "", 75*time.Second)
			s.clock.Step(74 * time.Second)
			s.expect(v1alpha1.IssueDraining, "", time.Second)
			s.clock.Step(time.Second)
			s.expect("", "", 0)
		})
	}
}

// TestAtOnce: whose users are to lose it, a copy waits for nobody.
func TestAtOnce(t *testing.T) {
	s := newStage(t)
	s.known = "Deployment a/web"
	steps := Plan(Situation{Wanted: s.wanted, Existing: []Copy{s.seen}})
	steps[0].AtOnce = true
	if report := s.Spread(t.Context(), s.wanted, steps); len(report.Removed) != 1 || s.lists > 0 {
		t.Errorf("%+v after %d lists", report, s.lists)
	}
	s = newStage(t)
	s.known = "Deployment a/web"
	if report := s.Abandon(t.Context(), s.wanted, Plan(Situation{Wanted: s.wanted, Existing: []Copy{s.seen}})); len(report.Removed) != 1 || s.read().UID == "" {
		t.Errorf("released: %+v", report)
	}
}

// TestChangedMeanwhile: a copy that is not the one that was seen is looked at again.
func TestChangedMeanwhile(t *testing.T) {
	s := newStage(t)
	s.expect(v1alpha1.IssueDraining, "", 75*time.Second)
	s.clock.Step(75 * time.Second)
	steps := Plan(Situation{Wanted: s.wanted, Existing: []Copy{s.seen}})
	changed := s.read()
	changed.Labels["more"] = "true"
	if err := s.cluster.Update(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	if report := s.Spread(t.Context(), s.wanted, steps); len(report.Removed) > 0 || len(report.Left) != 1 || s.read().UID == "" {
		t.Errorf("%+v", report)
	}
}

// TestUsersComeAndGo: who uses a copy is not said anew with every pod.
func TestUsersComeAndGo(t *testing.T) {
	s := newStage(t)
	said := map[string]int{}
	for i := range 21 {
		s.known = "Pod a/" + string(rune('a'+i))
		said[s.pass().Left[0].Message]++
		s.clock.Step(time.Second)
	}
	if len(said) != 5 {
		t.Errorf("in 21 s it said %v", said)
	}
}

// TestReplaceWaits: a copy that cannot be written stays as long as somebody uses it.
func TestReplaceWaits(t *testing.T) {
	s := newStage(t)
	secret := &corev1.Secret{}
	if err := s.cluster.Get(t.Context(), s.seen.NamespacedName, secret); err != nil {
		t.Fatal(err)
	}
	s.wanted = Wanted{UID: "1", Name: "genericsecret-key", Type: corev1.SecretTypeDockerConfigJson}.Fill(map[string][]byte{"k": []byte("not-a-secret-2")}, "i:g")
	s.known = "Pod a/p"
	blocked := func() Outcome {
		outcome, _ := s.replace(t.Context(), s.wanted, s.seen)
		return outcome
	}
	if got := blocked(); got.Reason != v1alpha1.IssueCopyBlocked || !strings.Contains(got.Message, "still used by Pod a/p") || !got.Exists {
		t.Fatalf("%+v", got)
	}
	s.known = ""
	if got := blocked(); got.Reason != v1alpha1.IssueCopyBlocked || got.After != 75*time.Second || s.read().UID != s.seen.UID {
		t.Fatalf("%+v", got)
	}
	s.clock.Step(75 * time.Second)
	if got := blocked(); !got.Current || s.read().UID == s.seen.UID {
		t.Fatalf("%+v", got)
	}
}
