// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// process is a Monitor with a clock that is moved by hand.
type process struct {
	*testing.T
	*Monitor
	clock *clocktesting.FakePassiveClock
	start time.Time
}

func newProcess(t *testing.T) *process {
	start := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	clock := clocktesting.NewFakePassiveClock(start)
	return &process{t, NewMonitor(clock), clock, start}
}

// at moves the clock to a minute. The API server answers, unless it is told not to.
func (p *process) at(minute int) {
	p.clock.SetTime(p.start.Add(time.Duration(minute) * time.Minute))
	p.noteAnswer()
}

func (p *process) lead() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leads = p.clock.Now()
}

// alive checks the liveness: it must complain of something that has this in it, or
// of nothing.
func (p *process) alive(complaint string) {
	p.Helper()
	err := p.Check(nil)
	if complaint == "" && err != nil || complaint != "" && (err == nil || !strings.Contains(err.Error(), complaint)) {
		p.Errorf("after %s: %v, want %q", p.clock.Since(p.start), err, complaint)
	}
}

func TestLiveness(t *testing.T) {
	t.Run("a leader whose queue nobody serves", func(t *testing.T) {
		p := newProcess(t)
		p.at(0)
		p.lead()
		p.sent("credential")
		p.at(5)
		p.alive("")
		p.at(6)
		p.alive("controller credential has work and has finished nothing since 2027-03-01T12:00:00Z")
	})
	t.Run("a leader with much work", func(t *testing.T) {
		p := newProcess(t)
		p.lead()
		p.sent("credential")
		for minute := range 60 { // the heartbeat is at the end of the queue
			p.at(minute)
			p.finished("credential", nil)
			p.alive("")
		}
		p.at(66)
		p.alive("credential")
	})
	t.Run("a leader for whom everything fails", func(t *testing.T) {
		p := newProcess(t)
		p.lead()
		p.sent("credential")
		for minute := range 60 { // to start again would not help
			p.at(minute)
			p.finished("credential", errors.New("no"))
			p.alive("")
		}
	})
	t.Run("heartbeats that come through", func(t *testing.T) {
		p := newProcess(t)
		p.lead()
		for minute := range 60 {
			p.at(minute)
			p.sent("credential")
			p.alive("")
			p.arrived("credential")
		}
		p.at(120)
		p.alive("")
	})
	t.Run("a standby, which then leads", func(t *testing.T) {
		p := newProcess(t)
		p.at(0)
		p.sent("credential")
		p.at(60)
		p.alive("")
		p.lead()
		p.at(65)
		p.alive("")
		p.at(66)
		p.alive("credential")
	})
	t.Run("an API server that does not answer", func(t *testing.T) {
		p := newProcess(t)
		p.at(0)
		p.lead()
		p.sent("credential")
		p.clock.SetTime(p.start.Add(time.Hour))
		p.alive("")
	})
}

// TestOverdueRequests sends requests whose answers are not read to the end.
func TestOverdueRequests(t *testing.T) {
	for name, test := range map[string]struct {
		url       string
		minutes   int // that it may take
		complaint string
	}{
		"a watch":            {"/api/v1/namespaces?watch=true&timeoutSeconds=300", 7, "watch of /api/v1/namespaces was sent at 2027-03-01T12:00:00Z"},
		"a watch, otherwise": {"/api/v1/namespaces?watch=1&timeoutSeconds=600", 12, "watch of /api/v1/namespaces"},
		"a watch for ever":   {"/api/v1/namespaces?watch=true", 62, "watch of /api/v1/namespaces"},
		"a list":             {"/api/v1/secrets?limit=500", 5, "GET /api/v1/secrets"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t)
			p.at(0)
			transport := p.Transport(roundTripperFunc(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("x"))}, nil
			}))
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://localhost"+test.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			read, err := transport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			stalled, err := transport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(read.Body); err != nil {
				t.Fatal(err)
			}
			p.at(test.minutes)
			p.alive("")
			p.at(test.minutes + 1)
			p.alive(test.complaint)
			if got := testutil.CollectAndCount(p, "credence_controller_overdue_requests"); got != 1 {
				t.Errorf("%d metrics", got)
			}
			p.clock.SetTime(p.start.Add(10 * time.Hour)) // and the API server does not answer
			p.alive("")
			p.at(660)
			p.alive(test.complaint)
			if err := stalled.Body.Close(); err != nil {
				t.Fatal(err)
			}
			p.alive("")
		})
	}
}

func TestRequestsThatFail(t *testing.T) {
	p := newProcess(t)
	p.at(0)
	transport := p.Transport(roundTripperFunc(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://localhost/api", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := transport.RoundTrip(request); err == nil {
		t.Error("the error is lost")
	}
	if len(p.requests) > 0 {
		t.Error("it counts as being under way")
	}
}

func TestLastSuccess(t *testing.T) {
	p := newProcess(t)
	var fails error
	inner := Observe(p.Monitor, "credential", reconcile.Func(func(context.Context, ctrl.Request) (ctrl.Result, error) {
		return ctrl.Result{RequeueAfter: time.Second}, fails
	}))
	reconciler := EndHeartbeats(p.Monitor, "credential", inner)
	something := ctrl.Request{}
	something.Name = "x"
	metric := func(want string) {
		t.Helper()
		if err := testutil.CollectAndCompare(p, strings.NewReader(`
# HELP credence_controller_last_success_timestamp_seconds When a controller last finished something without an error. Heartbeats go through the queues of the leader once a minute and count.
# TYPE credence_controller_last_success_timestamp_seconds gauge
credence_controller_last_success_timestamp_seconds{controller="credential"} `+want+"\n"), "credence_controller_last_success_timestamp_seconds"); err != nil {
			t.Error(err)
		}
	}
	p.at(0)
	if result, err := reconciler.Reconcile(t.Context(), something); result.RequeueAfter != time.Second || err != nil {
		t.Errorf("the result is %v, %v", result, err)
	}
	metric("1.8039024e+09")
	p.at(1)
	fails = errors.New("no")
	if _, err := reconciler.Reconcile(t.Context(), something); err == nil {
		t.Error("the error is lost")
	}
	metric("1.8039024e+09")
	if result, err := reconciler.Reconcile(t.Context(), ctrl.Request{}); result != (ctrl.Result{}) || err != nil {
		t.Errorf("a heartbeat comes to %v, %v", result, err)
	}
	metric("1.80390246e+09")
}

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
