// SPDX-License-Identifier: Apache-2.0

package serving_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/credence-dev/credence/serving"
)

const period = 15 * time.Second

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline, tick := time.Now().Add(20*time.Second), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in time", what)
		}
		<-tick.C
	}
}

func isDone(ctx context.Context) bool { return ctx.Err() != nil }

// First unready and closing, and only a period later the end.
func TestDrain(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Now())
	stop, cancel := context.WithCancel(context.Background())
	drain, ctx, end := serving.NewDrain(stop, period, clock)
	defer end()
	connection := func() string {
		w := httptest.NewRecorder()
		drain.Handler(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
		return w.Header().Get("Connection")
	}

	clock.Step(period) // time alone does not stop it
	if err := drain.Ready(nil); err != nil || isDone(ctx) || connection() != "" {
		t.Fatalf("before the stop: ready %v, done %v, connection %q", err, isDone(ctx), connection())
	}
	cancel()
	eventually(t, "the timer runs", clock.HasWaiters)
	if err := drain.Ready(nil); err == nil || isDone(ctx) || connection() != "close" {
		t.Fatalf("after the stop: ready %v, done %v, connection %q", err, isDone(ctx), connection())
	}
	clock.Step(period - time.Nanosecond)
	if isDone(ctx) {
		t.Fatal("the period is not over")
	}
	clock.Step(time.Nanosecond)
	eventually(t, "the end", func() bool { return isDone(ctx) })
	if err := drain.Ready(nil); err == nil {
		t.Error("ready again")
	}
}

// The returned function ends it at once, stopped or not.
func TestDrainEndsEarly(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		stop, cancel := context.WithCancel(context.Background())
		defer cancel()
		clock := clocktesting.NewFakeClock(time.Now())
		_, ctx, end := serving.NewDrain(stop, period, clock)
		if stopped {
			cancel()
			eventually(t, "the timer runs", clock.HasWaiters)
		}
		end()
		if !isDone(ctx) {
			t.Errorf("stopped %v: not ended", stopped)
		}
		eventually(t, "the timer stops", func() bool { return !clock.HasWaiters() })
	}
}

func TestWhenReady(t *testing.T) {
	ready := false
	handler := serving.WhenReady(func() bool { return ready }, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for _, want := range []int{http.StatusServiceUnavailable, http.StatusTeapot} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
		if w.Code != want {
			t.Errorf("ready %v: %d, want %d", ready, w.Code, want)
		}
		ready = true
	}
}

// replica is one process behind a Service.
type replica struct {
	name    string
	address string
	drain   *serving.Drain
	clock   *clocktesting.FakeClock
	stop    context.CancelFunc
	stopped chan error
	served  atomic.Int64
	open    atomic.Int64 // connections of the load to it
}

// newReplica serves by controller-runtime's webhook server, as the webhook does.
func newReplica(t *testing.T, name string, certificate tls.Certificate) *replica {
	t.Helper()
	r := &replica{name: name, clock: clocktesting.NewFakeClock(time.Now()), stopped: make(chan error, 1)}
	listener, err := net.Listen("tcp", "127.0.0.1:0") // for a port that is free
	if err != nil {
		t.Fatal(err)
	}
	r.address = listener.Addr().String()
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	server := webhook.NewServer(webhook.Options{Host: "127.0.0.1", Port: port, TLSOpts: []func(*tls.Config){func(c *tls.Config) {
		c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil }
		c.NextProtos = []string{"http/1.1"}
	}}})
	stop, cancel := context.WithCancel(context.Background())
	drain, ctx, end := serving.NewDrain(stop, period, r.clock)
	r.drain, r.stop = drain, cancel
	server.Register("/review", drain.Handler(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.served.Add(1)
		w.Header().Set("Replica", name)
		_, _ = io.Copy(w, request.Body)
	})))
	go func() { r.stopped <- server.Start(ctx) }()
	t.Cleanup(func() { cancel(); end() })
	eventually(t, "the server listens", func() bool { return server.StartedChecker()(nil) == nil })
	return r
}

// Failure mode 60: a replica stops while API servers send reviews over connections
// that they keep. Not one review fails: every connection is gone before the server
// is shut down.
func TestDrainUnderLoad(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	certificate, roots := newCertificate(t)
	first, second := newReplica(t, "first", certificate), newReplica(t, "second", certificate)

	// A Service sends new connections to replicas that are ready, and to no other.
	transport := &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots},
		MaxIdleConnsPerHost: 100,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			to := first
			to.open.Add(1) // before it is asked whether it is ready, so that none is overlooked
			if first.drain.Ready(nil) != nil {
				to.open.Add(-1)
				to = second
				to.open.Add(1)
			}
			connection, err := (&net.Dialer{}).DialContext(ctx, network, to.address)
			if err != nil {
				to.open.Add(-1)
				return nil, err
			}
			return &counted{Conn: connection, open: &to.open}, nil
		},
	}
	defer transport.CloseIdleConnections()
	load := &load{transport: transport, first: first}
	ctx, cancel := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() { load.run(ctx) })
	}
	eventually(t, "the first replica is busy", func() bool { return first.served.Load() > 500 })
	if first.open.Load() == 0 {
		t.Fatal("no connection is kept; the test proves nothing")
	}

	first.stop()
	eventually(t, "readiness fails", func() bool { return first.drain.Ready(nil) != nil })
	eventually(t, "every connection is gone", func() bool { return first.open.Load() == 0 })
	first.clock.Step(period)
	eventually(t, "the server is shut down", func() bool { return len(first.stopped) > 0 })
	if err := <-first.stopped; err != nil {
		t.Errorf("serving: %v", err)
	}
	before := second.served.Load()
	eventually(t, "the second replica is busy", func() bool { return second.served.Load() > before+500 })
	cancel()
	clients.Wait()
	for _, failure := range load.failures {
		t.Errorf("a review failed: %v", failure)
	}
	t.Logf("%d reviews by the first replica, %d by the second", first.served.Load(), second.served.Load())
}

// load sends requests one after the other.
type load struct {
	transport *http.Transport
	first     *replica
	mu        sync.Mutex
	failures  []error
}

func (l *load) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := l.once(); err != nil {
			l.mu.Lock()
			if len(l.failures) < 10 {
				l.failures = append(l.failures, err)
			}
			l.mu.Unlock()
		}
	}
}

func (l *load) once() error {
	stopping := l.first.drain.Ready(nil) != nil
	request, err := http.NewRequest(http.MethodPost, "https://127.0.0.1/review", strings.NewReader("{}"))
	if err != nil {
		return err
	}
	response, err := l.transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	switch by := response.Header.Get("Replica"); {
	case response.StatusCode != http.StatusOK || response.ProtoMajor != 1:
		return fmt.Errorf("%s %s", response.Proto, response.Status)
	case stopping && by == l.first.name && !response.Close:
		return fmt.Errorf("a stopping replica kept a connection")
	}
	return nil
}

// counted counts a connection as long as it is open.
type counted struct {
	net.Conn
	open *atomic.Int64
	once sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

func newCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
