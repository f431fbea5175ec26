// SPDX-License-Identifier: Apache-2.0

// Package serving holds what every HTTPS server of Credence does alike: how it
// stops without failing a request.
package serving

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"
)

// Drain lets a server stop in two steps: first it is unready and asks every
// client to close its connection, and only later it is shut down.
//
// http.Server.Shutdown alone breaks requests: it closes keep-alive connections
// that are idle to it while a request is already on its way, and an API server
// keeps its connections for long.
type Drain struct {
	draining atomic.Bool
}

// NewDrain starts to drain when stop is done. The context that it returns is done
// a period later, or when the returned function is called; servers run under it.
func NewDrain(stop context.Context, period time.Duration, clock clock.Clock) (*Drain, context.Context, context.CancelFunc) {
	drain := &Drain{}
	ctx, cancel := context.WithCancel(context.WithoutCancel(stop))
	go func() {
		select {
		case <-stop.Done():
		case <-ctx.Done():
			return
		}
		drain.draining.Store(true)
		timer := clock.NewTimer(period)
		defer timer.Stop()
		select {
		case <-timer.C():
			cancel()
		case <-ctx.Done():
		}
	}()
	return drain, ctx, cancel
}

// Handler asks clients to close their connections while draining.
func (d *Drain) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// Ready is a readiness check that fails while draining.
func (d *Drain) Ready(*http.Request) error {
	if d.draining.Load() {
		return errors.New("stopping")
	}
	return nil
}
