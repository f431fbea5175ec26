// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/webhook"
)

const stillPreparing = `annotation credence.dev/credentials: credential "openai" is still being prepared, try again`

// Failure mode 63: Secret, Credential and pod come in one apply, and the status is
// not there yet. What happens while the pod waits, and when and how it ends.
func TestWaitForStatus(t *testing.T) {
	ready := generic("team-a", "openai", "")
	changed := ready.DeepCopy()
	changed.Generation = 2
	invalid := ready.DeepCopy()
	invalid.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonSourceInvalid}}
	cases := map[string]struct {
		meanwhile   func(*fixture)
		code        int32 // 0: admitted
		wantMessage string
		took        time.Duration
	}{
		"it becomes ready": {
			meanwhile: func(f *fixture) { pass(300 * time.Millisecond); f.know(ready) },
			took:      300 * time.Millisecond,
		},
		"it becomes ready at once": {
			meanwhile: func(f *fixture) { f.know(ready) },
			took:      20 * time.Millisecond, // decisions are this far apart
		},
		"it becomes ready at the last moment": {
			meanwhile: func(f *fixture) { pass(1900 * time.Millisecond); f.know(ready) },
			took:      1900 * time.Millisecond,
		},
		"it never becomes ready": {
			meanwhile: func(*fixture) {},
			code:      http.StatusServiceUnavailable, wantMessage: stillPreparing, took: 2 * time.Second,
		},
		"other things change all the time": {
			meanwhile: func(f *fixture) {
				for i := range 3000 {
					pass(time.Millisecond)
					f.know(generic("team-b", fmt.Sprintf("other-%d", i%7), ""))
				}
			},
			code: http.StatusServiceUnavailable, wantMessage: stillPreparing, took: 2 * time.Second,
		},
		"its status is of an older spec": {
			meanwhile: func(f *fixture) { f.know(changed); pass(200 * time.Millisecond); f.know(changed) },
			code:      http.StatusServiceUnavailable, wantMessage: stillPreparing, took: 2 * time.Second,
		},
		"it turns out to be invalid": {
			meanwhile: func(f *fixture) { pass(100 * time.Millisecond); f.know(invalid) },
			code:      http.StatusForbidden, took: 100 * time.Millisecond,
			wantMessage: `annotation credence.dev/credentials: credential "openai" cannot be used: its Secret has the wrong type or keys`,
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.know(namespace(systemNamespace, nil), project("team-a", ""), behind(ready))
				begin := time.Now()
				var other sync.WaitGroup
				defer other.Wait()
				other.Go(func() {
					synctest.Wait() // until the pod waits
					test.meanwhile(f)
				})
				answer := f.admit("team-a", naming("openai"))
				if took := time.Since(begin); took < test.took || took > test.took+25*time.Millisecond {
					t.Errorf("took %v, want %v", took, test.took)
				}
				if answer.response.Allowed != (test.code == 0) {
					t.Fatalf("answer: %s", answer.body)
				}
				if result := answer.response.Result; result != nil {
					if result.Code != test.code || result.Message != test.wantMessage {
						t.Errorf("refused with %d %q, want %d %q", result.Code, result.Message, test.code, test.wantMessage)
					}
				}
				if reads := f.cluster.asked(); len(reads) > 0 {
					t.Errorf("waiting cost API calls: %q", reads)
				}
			})
		})
	}
}

// The credential itself was not known, and its status was behind when it was read.
func TestWaitForStatusAfterLiveRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.know(namespace(systemNamespace, nil))
		f.cluster.create(project("team-a", ""), behind(generic("team-a", "openai", "")))
		go func() {
			for _, step := range []func(){
				func() { f.know(project("team-a", "")) },
				func() { f.know(behind(generic("team-a", "openai", ""))) },
				func() { f.know(generic("team-a", "openai", "")) },
			} {
				pass(100 * time.Millisecond)
				step()
			}
		}()
		if answer := f.admit("team-a", naming("openai")); !answer.response.Allowed || len(answer.response.Patch) == 0 {
			t.Errorf("not injected: %s", answer.body)
		}
		if diff := cmp.Diff([]string{"Namespace /team-a", "Credential team-a/openai"}, f.cluster.asked()); diff != "" {
			t.Errorf("live reads (-want +got):\n%s", diff)
		}
	})
}

// A hint to clients how long to wait would make client-go itself try again, and
// hold a worker of the controller meanwhile; a timeout would make controllers wait
// for a pod that is not there.
func TestTryAgainIsNoRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.know(namespace(systemNamespace, nil), project("team-a", ""), behind(generic("team-a", "openai", "")))
		answer := f.admit("team-a", naming("openai"))
		want := &metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
			Status:   metav1.StatusFailure, Code: http.StatusServiceUnavailable, Reason: metav1.StatusReasonServiceUnavailable, Message: stillPreparing,
		}
		if diff := cmp.Diff(want, answer.response.Result); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
	})
}

// Many pods wait for one credential. All are admitted when it is ready, and whoever
// goes away leaves nothing behind: synctest fails if a goroutine is left.
func TestManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.know(namespace(systemNamespace, nil), project("team-a", ""), behind(generic("team-a", "openai", "")))
		gone, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		wait := func(ctx context.Context, admitted bool) {
			all.Go(func() {
				answer := f.post(ctx, webhook.PathAnnotated, reviewOf("team-a", []byte(naming("openai"))))
				if answer.response == nil || answer.response.Allowed != admitted {
					t.Errorf("answer: %d %s", answer.code, answer.body)
				}
			})
		}
		for range 100 {
			wait(t.Context(), true)
			wait(gone, false)
		}
		pass(time.Second)
		begin := time.Now()
		cancel()
		synctest.Wait()
		if time.Since(begin) != 0 {
			t.Error("who goes away is waited for")
		}
		f.know(generic("team-a", "openai", ""))
		all.Wait()
		if time.Since(begin) != 0 {
			t.Error("the pods waited on although the credential was ready")
		}
	})
}
