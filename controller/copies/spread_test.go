// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// TestWriterEnds: a request that outlasts its pass is not sent twice, and ends with
// the writer, as a process does that is no leader any more.
func TestWriterEnds(t *testing.T) {
	var asked atomic.Int32
	hanging := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			if object.GetNamespace() != "slow" {
				return c.Create(ctx, object, options...)
			}
			asked.Add(1)
			<-ctx.Done()
			return ctx.Err()
		},
	}).Build()
	w := NewWriter(Options{Client: hanging, Reader: hanging, Cache: hanging, Clock: clock.RealClock{}, Holders: nobody{},
		Concurrency: 4, RetryBase: time.Second, RetryMax: time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.Start(ctx) }()

	wanted := Wanted{Credential: types.NamespacedName{Namespace: "n", Name: "key"}, UID: "1", Name: "genericsecret-key", Type: corev1.SecretTypeOpaque}.
		Fill(map[string][]byte{"k": []byte("v")}, "k:1")
	steps := Plan(Situation{Wanted: wanted, Desired: []string{"fast", "slow"}})
	for range 2 {
		report := w.Spread(t.Context(), wanted, steps)
		if slow := report.Outcomes["slow"]; slow.Exists || slow.Reason != "" || report.RetryAfter == 0 {
			t.Errorf("the slow one is %+v, again in %s", slow, report.RetryAfter)
		}
		if !report.Outcomes["fast"].Current {
			t.Errorf("the fast one has no copy: %+v", report.Outcomes["fast"])
		}
	}
	if !w.Busy("1") || w.Busy("2") {
		t.Error("the writer does not know what it is about")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if w.Busy("1") || asked.Load() != 1 {
		t.Errorf("busy: %t, asked %d times", w.Busy("1"), asked.Load())
	}
	report := w.Spread(t.Context(), wanted, Plan(Situation{Wanted: wanted, Desired: []string{"late"}}))
	if report.Outcomes["late"].Exists {
		t.Error("it goes on writing")
	}
}

// TestRemovedLate: a copy that goes after the report is in the next one, or told of
// when somebody asks.
func TestRemovedLate(t *testing.T) {
	answer := make(chan struct{})
	slow := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Delete: func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error {
			<-answer
			return nil
		},
	}).Build()
	w := NewWriter(Options{Client: slow, Reader: slow, Cache: slow, Clock: clock.RealClock{}, Holders: nobody{},
		Concurrency: 4, RetryBase: time.Second, RetryMax: time.Second})
	wanted := Wanted{UID: "1", Name: "genericsecret-key"}
	stray := Copy{NamespacedName: types.NamespacedName{Namespace: "a", Name: wanted.Name}, UID: "c", CredentialUID: "1"}
	for name, ask := range map[string]func() []Copy{
		"the next report": func() []Copy { return w.Spread(t.Context(), wanted, nil).Removed },
		"asked for":       func() []Copy { return w.Late("1") },
	} {
		t.Run(name, func(t *testing.T) {
			steps := Plan(Situation{Wanted: wanted, Existing: []Copy{stray}})
			steps[0].AtOnce = true
			report := w.Spread(t.Context(), wanted, steps)
			if len(report.Removed) != 0 || len(report.Left) != 1 {
				t.Fatalf("the report is %+v", report)
			}
			answer <- struct{}{}
			w.errands.running.Wait()
			if gone := ask(); len(gone) != 1 || gone[0].UID != stray.UID {
				t.Errorf("told of are %v", gone)
			}
			if gone := ask(); len(gone) != 0 {
				t.Errorf("told of again are %v", gone)
			}
		})
	}
}
