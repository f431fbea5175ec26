// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	// patience is how long work may wait while nothing is finished, and how
	// long an ordinary request may take. One pass takes a minute at most, and API
	// servers give up sooner than that.
	patience = 5 * time.Minute
	// answerWindow is how recently the API server must have answered for anything to
	// be held against this process. The Lease is asked for every two seconds.
	answerWindow = time.Minute
)

var (
	lastSuccessDesc = prometheus.NewDesc("credence_controller_last_success_timestamp_seconds",
		"When a controller last finished something without an error. Heartbeats go through the queues of the leader once a minute and count.",
		[]string{"controller"}, nil)
	overdueDesc = prometheus.NewDesc("credence_controller_overdue_requests",
		"Requests to the API server that are older than they should ever become, such as watches that stall.", nil, nil)
)

// Monitor knows whether a process gets on with its work. Two things look like
// health from outside and are none: a queue that nobody serves any more, and a
// watch that is open and brings nothing.
//
// It holds against a process only what a restart can mend. An API server that does
// not answer is nothing of that kind, and a standby has no work.
type Monitor struct {
	clock clock.PassiveClock

	mu          sync.Mutex
	leads       time.Time // zero on a standby
	controllers map[string]*advance
	requests    map[*request]struct{}
	answered    time.Time
}

// advance is how far one controller has come. The times are zero if there is none.
type advance struct {
	// success is when something was last finished without an error, finish when
	// something was finished at all.
	success, finish time.Time
	// waiting is since when a heartbeat is in the queue.
	waiting time.Time
}

// NewMonitor returns a Monitor that knows of no controllers yet.
func NewMonitor(clock clock.PassiveClock) *Monitor {
	return &Monitor{clock: clock, controllers: map[string]*advance{}, requests: map[*request]struct{}{}}
}

// Start implements manager.Runnable, of the leader only.
func (m *Monitor) Start(ctx context.Context) error {
	m.mu.Lock()
	m.leads = m.clock.Now()
	m.mu.Unlock()
	<-ctx.Done()
	return nil
}

// Check is the liveness of the process: a healthz.Checker.
func (m *Monitor) Check(*http.Request) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.Now()
	if now.Sub(m.answered) > answerWindow {
		return nil
	}
	for r := range m.requests {
		if now.After(r.deadline) {
			return fmt.Errorf("%s was sent at %s and is not answered to the end", r.what, r.sent.UTC().Format(time.RFC3339))
		}
	}
	if m.leads.IsZero() {
		return nil
	}
	for name, one := range m.controllers {
		if since := latest(one.waiting, one.finish, m.leads); !one.waiting.IsZero() && now.Sub(since) > patience {
			return fmt.Errorf("controller %s has work and has finished nothing since %s", name, since.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

func latest(times ...time.Time) (last time.Time) {
	for _, one := range times {
		if one.After(last) {
			last = one
		}
	}
	return last
}

// Describe implements prometheus.Collector.
func (m *Monitor) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- lastSuccessDesc
	descriptions <- overdueDesc
}

// Collect implements prometheus.Collector.
func (m *Monitor) Collect(metrics chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, one := range m.controllers {
		if !one.success.IsZero() {
			seconds := float64(one.success.UnixMilli()) / 1000
			metrics <- prometheus.MustNewConstMetric(lastSuccessDesc, prometheus.GaugeValue, seconds, name)
		}
	}
	overdue := 0
	for r := range m.requests {
		if m.clock.Now().After(r.deadline) {
			overdue++
		}
	}
	metrics <- prometheus.MustNewConstMetric(overdueDesc, prometheus.GaugeValue, float64(overdue))
}

// of returns the advance of a controller. The caller holds the lock.
func (m *Monitor) of(controller string) *advance {
	one := m.controllers[controller]
	if one == nil {
		one = &advance{}
		m.controllers[controller] = one
	}
	return one
}

// finished notes that a controller has dealt with something.
func (m *Monitor) finished(controller string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	one := m.of(controller)
	one.finish = m.clock.Now()
	if err == nil {
		one.success = one.finish
	}
}

// sent notes that a heartbeat was put into a controller's queue, arrived that it
// came through.
func (m *Monitor) sent(controller string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if one := m.of(controller); one.waiting.IsZero() {
		one.waiting = m.clock.Now()
	}
}

func (m *Monitor) arrived(controller string) {
	m.finished(controller, nil)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of(controller).waiting = time.Time{}
}

// Observe notes what a reconciler finishes.
func Observe[request comparable](m *Monitor, name string, inner reconcile.TypedReconciler[request]) reconcile.TypedReconciler[request] {
	return reconcile.TypedFunc[request](func(ctx context.Context, r request) (ctrl.Result, error) {
		result, err := inner.Reconcile(ctx, r)
		m.finished(name, err)
		return result, err
	})
}
