// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/webhook"
)

// Failure mode 26: what was created a moment ago is not in the caches yet.
func TestJustCreated(t *testing.T) {
	home := namespace("research-home", map[string]string{v1alpha1.LabelDepartmentHome: "research"})
	system := namespace(systemNamespace, nil)
	cases := map[string]struct {
		known, exist []client.Object
		reads        []string
	}{
		"everything is known": {
			known: []client.Object{system, project("team-a", ""), generic("team-a", "openai", "")},
		},
		"the credential of a project": {
			known: []client.Object{system, project("team-a", "")},
			exist: []client.Object{generic("team-a", "openai", "")},
			reads: []string{"Credential team-a/openai"},
		},
		"the credential of a department": {
			known: []client.Object{system, home, project("team-a", "research")},
			exist: []client.Object{generic("research-home", "openai", "research")},
			reads: []string{"Credential team-a/openai", "Credential research-home/openai"},
		},
		"the credential of the cluster": {
			known: []client.Object{system, home, project("team-a", "research")},
			exist: []client.Object{generic(systemNamespace, "openai", "")},
			reads: []string{"Credential team-a/openai", "Credential research-home/openai", "Credential credence-credentials/openai"},
		},
		"the namespace": {
			known: []client.Object{system, generic(systemNamespace, "openai", "")},
			exist: []client.Object{project("team-a", "")},
			reads: []string{"Namespace /team-a"},
		},
		"the namespace's label": {
			known: []client.Object{system, namespace("team-a", nil), generic(systemNamespace, "openai", "")},
			exist: []client.Object{project("team-a", "")},
			reads: []string{"Namespace /team-a"},
		},
		"namespace and credential": {
			known: []client.Object{system},
			exist: []client.Object{project("team-a", ""), generic("team-a", "openai", "")},
			reads: []string{"Namespace /team-a", "Credential team-a/openai"},
		},
		"even the system namespace": {
			exist: []client.Object{system, project("team-a", ""), generic(systemNamespace, "openai", "")},
			reads: []string{"Namespace /team-a", "Credential team-a/openai", "Credential credence-credentials/openai"},
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.know(test.known...)
			f.cluster.create(test.exist...)
			answer := f.admit("team-a", naming("openai"))
			if answer.response == nil || !answer.response.Allowed || len(answer.response.Patch) == 0 {
				t.Fatalf("the pod was not injected: %d %s", answer.code, answer.body)
			}
			if diff := cmp.Diff(test.reads, f.cluster.asked()); diff != "" {
				t.Errorf("live reads (-want +got):\n%s", diff)
			}
		})
	}
}

// A pod that asks for nothing, in a project that the cache has not seen.
func TestJustCreatedProjectGetsPullSecrets(t *testing.T) {
	f := newFixture(t)
	f.know(namespace(systemNamespace, nil), registry("hub", "registry.example.com"))
	f.cluster.create(project("team-a", ""))
	answer := f.admitAt(webhook.PathPullSecrets, "team-a", podWith(nil))
	if answer.response == nil || !strings.Contains(string(answer.response.Patch), "dockerregistry-hub") {
		t.Errorf("no pull secret: %s", answer.body)
	}
	f.cluster.before = func(context.Context, string) error { return errors.New("down") }
	answer = f.admitAt(webhook.PathPullSecrets, "team-b", podWith(nil))
	want := []string{"whether namespace team-b is a project could not be looked up just now; the pod gets no registry logins"}
	if answer.response == nil || !answer.response.Allowed {
		t.Fatalf("a pod that asks for nothing was refused: %s", answer.body)
	}
	if diff := cmp.Diff(want, answer.response.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestWarmCachesCostNoCalls(t *testing.T) {
	f := newFixture(t)
	f.know(namespace(systemNamespace, nil), project("team-a", "research"), namespace("elsewhere", nil),
		generic(systemNamespace, "openai", ""), generic(systemNamespace, "papers", "research"), generic("team-a", "bucket", ""),
		registry("hub", "registry.example.com"))
	for range 10 {
		for _, pod := range []string{naming("openai", "papers", "bucket", "hub"), podWith(nil)} {
			for _, path := range []string{webhook.PathAnnotated, webhook.PathPullSecrets} {
				if answer := f.admitAt(path, "team-a", pod); len(answer.response.Patch) == 0 {
					t.Fatalf("not injected: %s", answer.body)
				}
			}
		}
	}
	if reads := f.cluster.asked(); len(reads) > 0 {
		t.Errorf("calls with warm caches: %q", reads)
	}
}

// Requests that miss the same things at the same time share one read of each.
func TestLiveReadsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.know(namespace(systemNamespace, nil))
		f.cluster.create(project("team-a", ""), generic("team-a", "openai", ""))
		f.cluster.before = func(context.Context, string) error { time.Sleep(500 * time.Millisecond); return nil }
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if answer := f.admit("team-a", naming("openai")); answer.response == nil || !answer.response.Allowed {
					t.Errorf("not admitted: %s", answer.body)
				}
			})
		}
		all.Wait()
		if diff := cmp.Diff([]string{"Namespace /team-a", "Credential team-a/openai"}, f.cluster.asked()); diff != "" {
			t.Errorf("live reads (-want +got):\n%s", diff)
		}
	})
}

// A negative answer is kept two seconds, and only as long as the catalog has
// nothing better.
func TestAbsentIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.know(namespace(systemNamespace, nil), project("team-a", ""), namespace("elsewhere", nil))
		ask := func(namespace string, want ...string) {
			t.Helper()
			if answer := f.admit(namespace, naming("openai")); answer.response.Result.Code != http.StatusForbidden {
				t.Errorf("answer: %s", answer.body)
			}
			if diff := cmp.Diff(want, f.cluster.asked()); diff != "" {
				t.Errorf("live reads (-want +got):\n%s", diff)
			}
		}
		ask("team-a", "Credential team-a/openai", "Credential credence-credentials/openai")
		ask("elsewhere", "Namespace /elsewhere")
		time.Sleep(1900 * time.Millisecond)
		ask("team-a")
		ask("elsewhere")
		time.Sleep(200 * time.Millisecond)
		ask("team-a", "Credential team-a/openai", "Credential credence-credentials/openai")
		ask("elsewhere", "Namespace /elsewhere")
		f.know(generic("team-a", "openai", ""))
		if answer := f.admit("team-a", naming("openai")); !answer.response.Allowed {
			t.Errorf("what the catalog knows is not believed: %s", answer.body)
		}
	})
}

// However many different names are missed, 20 reads at most are under way, each at
// most a second.
func TestLiveReadsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.know(namespace(systemNamespace, nil), project("team-a", ""))
		var mu sync.Mutex
		var now, most int
		f.cluster.before = func(ctx context.Context, _ string) error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-ctx.Done()
			mu.Lock()
			now--
			mu.Unlock()
			return ctx.Err()
		}
		begin := time.Now()
		answers := make([]answer, 60)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() { answers[i] = f.admit("team-a", naming(fmt.Sprintf("c%d", i))) })
		}
		all.Wait()
		if most != 20 {
			t.Errorf("%d live reads at once, want 20", most)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("took %v, want the timeout of one read", took)
		}
		for i, answer := range answers {
			want := fmt.Sprintf(`annotation credence.dev/credentials: credential "c%d" could not be looked up just now, try again`, i)
			if answer.response == nil || answer.response.Result.Code != http.StatusServiceUnavailable || answer.message() != want {
				t.Errorf("answer: %d %s", answer.code, answer.body)
			}
		}
		counters := f.counters()
		if failed, busy := counters["credence_admission_live_reads_total{error}"], counters["credence_admission_live_reads_total{busy}"]; failed < 20 || failed+busy != 60 {
			t.Errorf("%v reads failed and %v were not begun", failed, busy)
		}
	})
}

// Many names cost no more time than one: no read begins when the pod has waited
// long enough, and the API server gets an answer before it gives up.
func TestLiveReadsEndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.know(namespace(systemNamespace, nil), project("team-a", ""))
		names := make([]string, 50)
		for i := range names {
			names[i] = fmt.Sprintf("c%02d", i)
			f.cluster.create(generic("team-a", names[i], ""))
		}
		f.cluster.before = func(context.Context, string) error { time.Sleep(900 * time.Millisecond); return nil }
		begin := time.Now()
		answer := f.admit("team-a", naming(names...))
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("took %v", took)
		}
		if want := `annotation credence.dev/credentials: credential "c03" could not be looked up just now, try again`; answer.message() != want {
			t.Errorf("message %q, want %q", answer.message(), want)
		}
	})
}

// An error of a read is not an answer, and is not remembered.
func TestLiveReadFails(t *testing.T) {
	failures := map[string]func(context.Context, string) error{
		"an error": func(context.Context, string) error { return errors.New("internal: 10.0.0.1 refused") },
		"a panic":  func(context.Context, string) error { panic("pod openai") },
		"half": func(_ context.Context, what string) error {
			if what == "Credential credence-credentials/openai" {
				return errors.New("refused")
			}
			return nil
		},
	}
	for name, before := range failures {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.know(namespace(systemNamespace, nil), project("team-a", ""))
			f.cluster.before = before
			answer := f.admit("team-a", naming("openai"))
			if answer.response == nil || answer.response.Result.Code != http.StatusServiceUnavailable {
				t.Fatalf("answer: %d %s", answer.code, answer.body)
			}
			if want := `annotation credence.dev/credentials: credential "openai" could not be looked up just now, try again`; answer.message() != want {
				t.Errorf("message %q, want %q", answer.message(), want)
			}
			f.cluster.before = nil
			f.cluster.create(generic(systemNamespace, "openai", ""))
			if answer := f.admit("team-a", naming("openai")); !answer.response.Allowed {
				t.Errorf("the error was remembered: %s", answer.body)
			}
		})
	}
}

// Whoever began a read may go: the others get their answer.
func TestLiveReadOutlivesWhoBeganIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.know(namespace(systemNamespace, nil), project("team-a", ""))
		f.cluster.create(generic("team-a", "openai", ""))
		answering := make(chan struct{})
		f.cluster.before = func(ctx context.Context, _ string) error {
			select {
			case <-answering:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		first, cancel := context.WithCancel(t.Context())
		answers := make(chan answer, 2)
		for _, ctx := range []context.Context{first, t.Context()} {
			go func() { answers <- f.post(ctx, webhook.PathAnnotated, reviewOf("team-a", []byte(naming("openai")))) }()
			synctest.Wait()
		}
		cancel()
		if answer := <-answers; answer.response.Result.Code != http.StatusServiceUnavailable {
			t.Errorf("who went was told: %s", answer.body)
		}
		close(answering)
		if answer := <-answers; !answer.response.Allowed {
			t.Errorf("who stayed was told: %s", answer.body)
		}
		if diff := cmp.Diff([]string{"Credential team-a/openai"}, f.cluster.asked()); diff != "" {
			t.Errorf("live reads (-want +got):\n%s", diff)
		}
	})
}

// Who posts a review learns nothing of what he cannot see: not by the sentence,
// not by suggestions, and not by how much had to be read for it, asked once or
// again, known or not known to the caches.
func TestOtherTenantsAreInvisible(t *testing.T) {
	hidden := []client.Object{
		generic("team-b", "payments", ""),
		generic(systemNamespace, "payments", "finance"),
		generic("finance-home", "payments", "finance"),
	}
	places := map[string][]client.Object{
		"a project":                 {project("team-a", "")},
		"a project of a department": {project("team-a", "research"), namespace("research-home", map[string]string{v1alpha1.LabelDepartmentHome: "research"})},
		"outside":                   {namespace("team-a", nil)},
		"a namespace just created":  {},
	}
	for place, objects := range places {
		for _, cached := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, cached %v", place, cached), func(t *testing.T) {
				ask := func(name string, hidden ...client.Object) (got []string) {
					synctest.Test(t, func(t *testing.T) {
						f := newFixture(t)
						f.know(namespace(systemNamespace, nil), project("team-b", "finance"),
							namespace("finance-home", map[string]string{v1alpha1.LabelDepartmentHome: "finance"}))
						f.know(objects...)
						f.cluster.create(hidden...)
						if cached {
							f.know(hidden...)
						}
						for range 3 { // the second from memory, the third after it
							answer := f.admit("team-a", podWith(map[string]string{"env.credence.dev/A": name + "/password"}))
							got = append(got, fmt.Sprint(answer.response.Result.Code, answer.response.Warnings, answer.response.AuditAnnotations), answer.message(),
								strings.ReplaceAll(fmt.Sprint(f.cluster.asked()), name, "…"))
							time.Sleep(1500 * time.Millisecond)
						}
					})
					return got
				}
				absent := ask("payments")
				if diff := cmp.Diff(absent, ask("payments", hidden...)); diff != "" {
					t.Errorf("what is hidden differs from what is absent (-absent +hidden):\n%s", diff)
				}
				if diff := cmp.Diff(ask("payment"), ask("payment", hidden...)); diff != "" {
					t.Errorf("a name near to what is hidden tells of it (-absent +hidden):\n%s", diff)
				}
			})
		}
	}
}

// registry is a registry login of the cluster that is ready.
func registry(name string, registries ...string) *v1alpha1.Credential {
	c := generic(systemNamespace, name, "")
	c.Spec.Type = v1alpha1.DockerRegistry
	c.Status.Keys = []v1alpha1.SecretKey{{Key: ".dockerconfigjson"}}
	c.Status.Registries = registries
	return c
}
