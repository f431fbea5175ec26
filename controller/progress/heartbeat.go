// SPDX-License-Identifier: Apache-2.0

package progress

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

// Heartbeat is a source that puts, at intervals, a request for nothing into a
// queue, and with it what else is due. The request is the zero value, which stands
// for no object; EndHeartbeats is what it comes to.
type Heartbeat struct {
	Monitor *Monitor
	// Controller is whose queue it is.
	Controller string
	// Interval is the time from one beat to the next, and Resync that in which each of
	// All is due once, although nothing happened.
	Interval, Resync time.Duration
	All              func(context.Context) []ctrl.Request
}

var _ source.Source = (*Heartbeat)(nil)

// Start implements source.Source.
func (h *Heartbeat) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
	var beat uint32
	go wait.UntilWithContext(ctx, func(ctx context.Context) {
		beat++
		h.Monitor.sent(h.Controller)
		queue.Add(ctrl.Request{})
		for _, r := range h.due(ctx, beat) {
			queue.Add(r)
		}
	}, h.Interval)
	return nil
}

// due returns what is due at a beat, which are numbered: not all at the same time.
func (h *Heartbeat) due(ctx context.Context, beat uint32) []ctrl.Request {
	beats := uint32(max(1, h.Resync/h.Interval))
	var due []ctrl.Request
	for _, r := range h.All(ctx) {
		if turn(r)%beats == beat%beats {
			due = append(due, r)
		}
	}
	return due
}

func turn(r ctrl.Request) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.String())) // never fails
	return h.Sum32()
}

// EndHeartbeats has heartbeats end before a reconciler that would not know what to
// do with them.
func EndHeartbeats(m *Monitor, name string, inner reconcile.Reconciler) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, r ctrl.Request) (ctrl.Result, error) {
		if r == (ctrl.Request{}) {
			m.arrived(name)
			return ctrl.Result{}, nil
		}
		return inner.Reconcile(ctx, r)
	})
}
