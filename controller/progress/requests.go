// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// longestWatch is how long API servers let a watch live that does not say for how
	// long it asks, by their defaults.
	longestWatch = time.Hour
	// watchSlack is how much longer a watch may take to end.
	watchSlack = 2 * time.Minute
)

// request is one that was sent and is not answered to the end.
type request struct {
	what           string
	sent, deadline time.Time
}

// Transport goes around that of all clients of a process, and notes which requests
// are under way. Every watch says for how long it asks (client-go: five to ten
// minutes), and API servers end it by then: one that is open for longer has stalled
// somewhere on the way, be it that bytes do not come or that nobody reads them.
// Unlike a comparison of caches with the API server, this costs nothing and holds
// for every informer.
func (m *Monitor) Transport(next http.RoundTripper) http.RoundTripper {
	return transport{m, next}
}

type transport struct {
	monitor *Monitor
	next    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	end := t.monitor.begin(r)
	response, err := t.next.RoundTrip(r)
	if err != nil {
		end()
		return response, err
	}
	if response.StatusCode < http.StatusInternalServerError {
		t.monitor.noteAnswer()
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		end() // the body is the connection now
		return response, nil
	}
	response.Body = &body{response.Body, end}
	return response, nil
}

// WrappedRoundTripper lets client-go look below.
func (t transport) WrappedRoundTripper() http.RoundTripper { return t.next }

// begin notes that a request is sent, until end is called.
func (m *Monitor) begin(r *http.Request) (end func()) {
	now := m.clock.Now()
	one := &request{what: r.Method + " " + r.URL.Path, sent: now, deadline: now.Add(patience)}
	query := r.URL.Query()
	if watches, err := strconv.ParseBool(query.Get("watch")); err == nil && watches {
		one.what = "watch of " + r.URL.Path
		one.deadline = now.Add(longestWatch + watchSlack)
		if seconds, err := strconv.Atoi(query.Get("timeoutSeconds")); err == nil && seconds > 0 {
			one.deadline = now.Add(time.Duration(seconds)*time.Second + watchSlack)
		}
	}
	m.mu.Lock()
	m.requests[one] = struct{}{}
	m.mu.Unlock()
	return sync.OnceFunc(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.requests, one)
	})
}

func (m *Monitor) noteAnswer() {
	now := m.clock.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answered = now
}

// body notes when an answer was read to its end, or nobody wants the rest.
type body struct {
	io.ReadCloser
	end func()
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end()
	}
	return n, err
}

func (b *body) Close() error {
	b.end()
	return b.ReadCloser.Close()
}
