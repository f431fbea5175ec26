// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/credence-dev/credence/controller"
	"github.com/credence-dev/credence/controller/progress"
)

// staller is a network that can stop delivering what watches bring, while their
// connections stay open.
type staller struct {
	stalls  atomic.Bool
	release chan struct{}
}

func (s *staller) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err == nil && r.URL.Query().Get("watch") == "true" {
			response.Body = &stalling{ReadCloser: response.Body, network: s, closed: make(chan struct{})}
		}
		return response, err
	})
}

type stalling struct {
	io.ReadCloser
	network *staller
	closed  chan struct{}
	once    sync.Once
}

func (s *stalling) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if s.network.stalls.Load() {
		select {
		case <-s.network.release:
		case <-s.closed:
		}
	}
	return n, err
}

func (s *stalling) Close() error {
	s.once.Do(func() { close(s.closed) })
	return s.ReadCloser.Close()
}

// TestStalledWatch is failure mode 30: the process looks healthy, and nothing that
// happens reaches it.
func TestStalledWatch(t *testing.T) {
	network := &staller{release: make(chan struct{})}
	clock := clocktesting.NewFakePassiveClock(time.Now())
	monitor := progress.NewMonitor(clock)
	behind := apiServer.Config(t)
	behind.Wrap(network.wrap)
	behind.Wrap(monitor.Transport)
	w := newWorldAt(t, behind)
	t.Cleanup(func() { // before the world is stopped
		network.stalls.Store(false)
		close(network.release)
	})
	w.configure = func(o *controller.Options) {
		o.Progress, o.Heartbeat, o.Resync = monitor, 20*time.Millisecond, 100*time.Millisecond
	}
	a := w.project("a", "")
	w.run()
	c := w.generic("key")
	w.spread(c, 1)
	healthy := func(after time.Duration) {
		t.Helper()
		clock.SetTime(clock.Now().Add(after))
		w.passes(c)
		if err := monitor.Check(nil); err != nil {
			t.Errorf("after %s: %v", after, err)
		}
	}
	healthy(0)

	network.stalls.Store(true)
	b := w.project("b", "")
	w.passes(c)
	if w.secret(b, "genericsecret-key") != nil || w.secret(a, "genericsecret-key") == nil {
		t.Fatal("the watch of namespaces did not stall")
	}
	healthy(3 * time.Minute) // it may be that nothing happened
	clock.SetTime(clock.Now().Add(10 * time.Minute))
	w.passes(c)
	if err := monitor.Check(nil); err == nil || !strings.Contains(err.Error(), "watch of /") {
		t.Errorf("a watch has stalled, and the process complains of %v", err)
	}
	if count := w.metric("credence_controller_overdue_requests"); count == 0 {
		t.Error("the metric does not tell")
	}
}

// passes waits until there were two more passes over a credential, which need no
// event: that is the resync.
func (w *world) passes(c interface {
	GetNamespace() string
	GetName() string
}) {
	w.Helper()
	path := fmt.Sprintf("/api/v1/namespaces/%s/secrets/%s", c.GetNamespace(), c.GetName())
	before := w.sent.reads(path)
	w.eventually("it is looked at again", func() error {
		if w.sent.reads(path) < before+2 {
			return errors.New("not yet")
		}
		return nil
	})
}

// metric is the value of a metric without labels.
func (w *world) metric(name string) float64 {
	w.Helper()
	families, err := w.metrics.Gather()
	w.must(err)
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	w.Fatalf("there is no metric %s", name)
	return 0
}

// TestResync: every credential is looked at from time to time although nothing
// happened. That writes nothing.
func TestResync(t *testing.T) {
	w := newWorld(t)
	w.project("a", "")
	w.configure = func(o *controller.Options) { o.Heartbeat, o.Resync = 10*time.Millisecond, 50*time.Millisecond }
	w.run()
	list := []string{"one", "two", "three"}
	for _, name := range list {
		w.spread(w.generic(name), 1)
	}
	w.quietSince()
	for _, name := range list {
		w.passes(w.named(name))
	}
	if writes := w.sent.writes(""); len(writes) > 0 {
		t.Errorf("it wrote %v", writes)
	}
	if count, err := testutil.GatherAndCount(w.metrics, "credence_controller_last_success_timestamp_seconds"); err != nil || count == 0 {
		t.Errorf("%d controllers tell when they last finished something, %v", count, err)
	}
}

// quietSince waits until what is under way is written, and counts from then on.
func (w *world) quietSince() {
	w.Helper()
	w.eventually("nothing is written", func() error {
		w.sent.reset()
		w.passes(w.named("one"))
		if writes := w.sent.writes(""); len(writes) > 0 {
			return fmt.Errorf("%q", writes)
		}
		return nil
	})
}
