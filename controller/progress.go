// SPDX-License-Identifier: Apache-2.0

package controller

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
	// progressPatience is how long work may wait while nothing is finished, and how
	// long an ordinary request may take. One pass takes a minute at most, and API
	// servers give up sooner than that.
	progressPatience = 5 * time.Minute
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

// Progress knows whether a process gets on with its work. Two things look like
// health from outside and are none: a queue that nobody serves any more, and a
// watch that is open and brings nothing.
//
// It holds against a process only what a restart can mend. An API server that does
// not answer is nothing of that kind, and a standby has no work.
type Progress struct {
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

// NewProgress returns a Progress that knows of no controllers yet.
func NewProgress(clock clock.PassiveClock) *Progress {
	return &Progress{clock: clock, controllers: map[string]*advance{}, requests: map[*request]struct{}{}}
}

// Start implements manager.Runnable, of the leader only.
func (p *Progress) Start(ctx context.Context) error {
	p.mu.Lock()
	p.leads = p.clock.Now()
	p.mu.Unlock()
	<-ctx.Done()
	return nil
}

// Check is the liveness of the process: a healthz.Checker.
func (p *Progress) Check(*http.Request) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	if now.Sub(p.answered) > answerWindow {
		return nil
	}
	for r := range p.requests {
		if now.After(r.deadline) {
			return fmt.Errorf("%s was sent at %s and is not answered to the end", r.what, r.sent.UTC().Format(time.RFC3339))
		}
	}
	if p.leads.IsZero() {
		return nil
	}
	for name, one := range p.controllers {
		if since := latest(one.waiting, one.finish, p.leads); !one.waiting.IsZero() && now.Sub(since) > progressPatience {
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
func (p *Progress) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- lastSuccessDesc
	descriptions <- overdueDesc
}

// Collect implements prometheus.Collector.
func (p *Progress) Collect(metrics chan<- prometheus.Metric) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, one := range p.controllers {
		if !one.success.IsZero() {
			seconds := float64(one.success.UnixMilli()) / 1000
			metrics <- prometheus.MustNewConstMetric(lastSuccessDesc, prometheus.GaugeValue, seconds, name)
		}
	}
	overdue := 0
	for r := range p.requests {
		if p.clock.Now().After(r.deadline) {
			overdue++
		}
	}
	metrics <- prometheus.MustNewConstMetric(overdueDesc, prometheus.GaugeValue, float64(overdue))
}

// of returns the advance of a controller. The caller holds the lock.
func (p *Progress) of(controller string) *advance {
	one := p.controllers[controller]
	if one == nil {
		one = &advance{}
		p.controllers[controller] = one
	}
	return one
}

// finished notes that a controller has dealt with something.
func (p *Progress) finished(controller string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.of(controller)
	one.finish = p.clock.Now()
	if err == nil {
		one.success = one.finish
	}
}

// sent notes that a heartbeat was put into a controller's queue, arrived that it
// came through.
func (p *Progress) sent(controller string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one := p.of(controller); one.waiting.IsZero() {
		one.waiting = p.clock.Now()
	}
}

func (p *Progress) arrived(controller string) {
	p.finished(controller, nil)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of(controller).waiting = time.Time{}
}

// observe notes what a reconciler finishes.
func observe[request comparable](p *Progress, name string, inner reconcile.TypedReconciler[request]) reconcile.TypedReconciler[request] {
	return reconcile.TypedFunc[request](func(ctx context.Context, r request) (ctrl.Result, error) {
		result, err := inner.Reconcile(ctx, r)
		p.finished(name, err)
		return result, err
	})
}
