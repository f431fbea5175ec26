// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// TestManyObjects: a queue stopped at some thousands of objects, with those that
// fail and those that come back among them (external-secrets#6053).
func TestManyObjects(t *testing.T) {
	const objects, rounds = 6000, 3
	var mu sync.Mutex
	done := map[ctrl.Request]int{}
	least := func() int {
		mu.Lock()
		defer mu.Unlock()
		if len(done) < objects {
			return 0
		}
		least := rounds + 1
		for _, count := range done {
			least = min(least, count)
		}
		return least
	}
	options := controllerOptions(8, logPlain[ctrl.Request](logr.Discard()))
	options.SkipNameValidation = new(true)
	options.Reconciler = reconcile.Func(func(_ context.Context, r ctrl.Request) (ctrl.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		done[r]++
		switch count := done[r]; {
		case count == 1 && len(r.Name)%2 == 0:
			return ctrl.Result{}, errors.New("not the first time")
		case count < rounds:
			return ctrl.Result{RequeueAfter: 100 * time.Millisecond}, nil
		}
		return ctrl.Result{}, nil
	})
	c, err := controller.NewTypedUnmanaged("many", options)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Watch(source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
		for i := range objects {
			var r ctrl.Request
			r.Name = fmt.Sprint(i)
			queue.Add(r)
		}
		return nil
	})); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Start(ctx) }()
	if err := wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		return least() >= rounds, nil
	}); err != nil {
		t.Errorf("%d objects came, each at least %d times: %v", len(done), least(), err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
