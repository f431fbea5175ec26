// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
		f.cluster.before = func(context.Context, string) error { pass(500 * time.Millisecond); return nil }
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
		pass(1900 * time.Millisecond)
		ask("team-a")
		ask("elsewhere")
		pass(200 * time.Millisecond)
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
		f.cluster.before = func(context.Context, string) error { pass(900 * time.Millisecond); return nil }
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

// An error of a read is not an answer, and is not remembered. The log tells why,
// without the name that the pod wrote.
func TestLiveReadFails(t *testing.T) {
	const reading = "https://10.0.0.1/apis/credence.dev/v1alpha1/namespaces/team-a/credentials/openai"
	cases := map[string]struct {
		before func(context.Context, string) error
		cause  string
	}{
		"a refusal": {
			func(context.Context, string) error {
				return apierrors.NewForbidden(v1alpha1.GroupVersion.WithResource("credentials").GroupResource(), "openai", errors.New("no"))
			}, "Forbidden",
		},
		"no connection": {
			func(context.Context, string) error {
				return &url.Error{Op: "Get", URL: reading, Err: errors.New("connection refused")}
			}, "connection refused",
		},
		"an error": {func(context.Context, string) error { return errors.New("reading openai") }, "another error"},
		"a panic":  {func(context.Context, string) error { panic("pod openai") }, "panic of type string"},
		"the second read": {
			func(_ context.Context, what string) error {
				if what == "Credential credence-credentials/openai" {
					return context.DeadlineExceeded
				}
				return nil
			}, "no answer within 1s",
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.know(namespace(systemNamespace, nil), project("team-a", ""))
			f.cluster.before = test.before
			answer := f.admit("team-a", naming("openai"))
			if answer.response == nil || answer.response.Result.Code != http.StatusServiceUnavailable {
				t.Fatalf("answer: %d %s", answer.code, answer.body)
			}
			if want := `annotation credence.dev/credentials: credential "openai" could not be looked up just now, try again`; answer.message() != want {
				t.Errorf("message %q, want %q", answer.message(), want)
			}
			if cause := f.log.lines(t)[0]["cause"]; cause != test.cause || strings.Contains(f.log.String(), "openai") {
				t.Errorf("log: %s", f.log)
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
