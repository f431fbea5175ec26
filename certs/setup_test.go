// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientset "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// newManager makes a manager of a cluster that cannot be reached.
func newManager(t *testing.T) manager.Manager {
	t.Helper()
	skip := true // names are unique per process, and -count runs this again
	mgr, err := manager.New(&rest.Config{Host: "https://credence.invalid"}, manager.Options{
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: &skip},
	})
	if err != nil {
		t.Fatal(err)
	}
	return mgr
}

func TestSetup(t *testing.T) {
	for name, test := range map[string]struct {
		rotator   Rotator
		publisher *Publisher
		want      string // part of the error
	}{
		"with publisher":    {rotator: Rotator{Secret: secretName}, publisher: &Publisher{}},
		"without publisher": {rotator: Rotator{Secret: secretName}},
		"no name":           {want: "must be set"},
		"settings that cannot work": {
			rotator: Rotator{Secret: secretName, Settings: Settings{CADuration: time.Hour}},
			want:    "LeafDuration (168h0m0s) must be less than CADuration (1h0m0s)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			mgr := newManager(t)
			err := Setup(mgr, clientset.NewClientset(), &test.rotator, test.publisher)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("Setup: %v, want %q", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if test.rotator.Client == nil || test.rotator.Reader == nil || test.rotator.Events == nil {
				t.Error("the rotator's defaults were not filled in")
			}
			if p := test.publisher; p != nil && (p.Client == nil || p.Reader == nil || p.Secret != secretName || test.rotator.Publications != p) {
				t.Error("the publisher's defaults were not filled in")
			}
		})
	}
}

// What is watched is asked for by name, which is how rights on it are given.
func TestPublisherWatchesByName(t *testing.T) {
	objects := clientset.NewClientset()
	asked := make(chan string, 100)
	objects.PrependReactor("list", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		asked <- action.GetResource().Resource + " " + action.(clienttesting.ListAction).GetListRestrictions().Fields.String()
		return false, nil, nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, informer := range (&Publisher{}).informers(objects) {
		go informer.RunWithContext(ctx)
	}
	want := map[string]bool{
		"mutatingwebhookconfigurations metadata.name=credence":   true,
		"validatingwebhookconfigurations metadata.name=credence": true,
	}
	for len(want) > 0 {
		select {
		case one := <-asked:
			if !want[one] {
				t.Fatalf("asked for %s", one)
			}
			delete(want, one)
		case <-ctx.Done():
			t.Fatalf("not asked for: %v", want)
		}
	}
}

// reads fails every read, and tells of it.
type reads chan context.Context

func (r reads) Get(ctx context.Context, _ client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	select {
	case r <- ctx:
	case <-ctx.Done():
	}
	return errors.New("the API server is down")
}

func (r reads) List(ctx context.Context, _ client.ObjectList, _ ...client.ListOption) error {
	return r.Get(ctx, client.ObjectKey{}, nil)
}

// An API server that fails is not stormed, and one that does not answer is not waited for without end.
func TestSetupBacksOff(t *testing.T) {
	mgr, failing := newManager(t), make(reads)
	if err := Setup(mgr, clientset.NewClientset(), &Rotator{Secret: secretName, Reader: failing}, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- mgr.Start(ctx) }()
	// The informer's first news come together with the push.
	<-failing
	last := time.Now()
	for _, least := range []time.Duration{200 * time.Millisecond, 400 * time.Millisecond} {
		select {
		case read := <-failing:
			if deadline, ok := read.Deadline(); !ok || time.Until(deadline) > time.Minute {
				t.Errorf("a pass may take until %v", deadline)
			}
		case <-time.After(time.Minute):
			t.Fatal("it did not try again")
		}
		if waited := time.Since(last); waited < least {
			t.Errorf("it tried again after %v, want %v at least", waited, least)
		}
		last = time.Now()
	}
	cancel()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestControllerOptions(t *testing.T) {
	options := controllerOptions()
	if options.UsePriorityQueue == nil || *options.UsePriorityQueue {
		t.Error("the priority queue is used")
	}
	var longest time.Duration
	for range 100 {
		longest = max(longest, options.RateLimiter.When(reconcile.Request{}))
	}
	if longest != 30*time.Second {
		t.Errorf("it waits up to %v, want 30s", longest)
	}
}
