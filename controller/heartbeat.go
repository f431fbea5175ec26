// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"hash/fnv"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// heartbeat is a source that puts, at intervals, a request for nothing into a
// queue, and with it what else is due. The request is the zero value, which stands
// for no object.
type heartbeat struct {
	progress   *Progress
	controller string
	interval   time.Duration
	// due returns what else is due at a beat, which are numbered.
	due func(ctx context.Context, beat uint32) []ctrl.Request
}

var _ source.Source = (*heartbeat)(nil)

// Start implements source.Source.
func (h *heartbeat) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
	var beat uint32
	go wait.UntilWithContext(ctx, func(ctx context.Context) {
		beat++
		h.progress.sent(h.controller)
		queue.Add(ctrl.Request{})
		for _, r := range h.due(ctx, beat) {
			queue.Add(r)
		}
	}, h.interval)
	return nil
}

// beating has heartbeats end before a reconciler that would not know what to do
// with them.
func beating(p *Progress, name string, inner reconcile.Reconciler) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, r ctrl.Request) (ctrl.Result, error) {
		if r == (ctrl.Request{}) {
			p.arrived(name)
			return ctrl.Result{}, nil
		}
		return inner.Reconcile(ctx, r)
	})
}

// onHeartbeat brings heartbeats, and each Credential once in a resync interval.
func (w watches) onHeartbeat(controller string, options Options) source.Source {
	return &heartbeat{
		progress: options.Progress, controller: controller, interval: options.Heartbeat,
		due: w.everyNow(uint32(max(1, options.Resync/options.Heartbeat))),
	}
}

// everyNow returns the Credentials that are due at a beat, so that each is looked
// at once in so many, although nothing happened, and not all at the same time. A
// pass over one in order reads its source and writes nothing.
func (w watches) everyNow(beats uint32) func(context.Context, uint32) []ctrl.Request {
	return func(ctx context.Context, beat uint32) []ctrl.Request {
		var due []ctrl.Request
		for _, r := range w.all(ctx) {
			if turn(r)%beats == beat%beats {
				due = append(due, r)
			}
		}
		return due
	}
}

func turn(r ctrl.Request) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.String())) // never fails
	return h.Sum32()
}
