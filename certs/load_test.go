// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	clientset "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// every calls f until the context is done.
func every(interval time.Duration, f func(context.Context)) func(context.Context) error {
	return func(ctx context.Context) error {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
				f(ctx)
			}
		}
	}
}

// serve starts a process that serves with a certificate of its own, and returns its address.
func serve(t *testing.T, secrets *clientset.Clientset, settings Settings) string {
	t.Helper()
	source := SelfManaged(&Authority{Client: secrets, Secret: secretName, LeafDuration: settings.LeafDuration}, serverName)
	run(t, source.Start)
	eventually(t, "process is ready", source.Healthy)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that the end of the test cuts off
	// Not StartTLS: it would add a certificate of its own.
	server.Listener = tls.NewListener(server.Listener, &tls.Config{GetCertificate: source.GetCertificate})
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// request makes one request over a new connection, trusting bundle.
func request(ctx context.Context, address string, bundle []byte) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, ServerName: serverName},
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+serverName, nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// Two processes serve, an API server that is a little behind opens new connections all the time, and the CA rotates again and
// again until the first ones have left the bundle. Not one request may fail.
func TestRotationUnderLoad(t *testing.T) {
	settings := Settings{CADuration: time.Hour, PropagationDelay: 500 * time.Millisecond, LeafDuration: 5 * time.Second, Slack: time.Second}
	secrets := clientset.NewClientset()
	// One store for both clients, so that the processes' informers see what the controller writes.
	store := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjectTracker(secrets.Tracker()).Build()
	c := &cluster{t: t, client: store, settings: settings, publisher: &Publisher{Client: store, Reader: store, Secret: secretName, Names: configurations}}
	for _, configuration := range []string{"m1", "m2"} {
		if err := store.Create(t.Context(), mutating(configuration, "a", "b")); err != nil {
			t.Fatal(err)
		}
	}
	rotator := &Rotator{Client: store, Reader: store, Secret: secretName, Settings: settings, Publications: c.publisher, Clock: clock.RealClock{}}
	run(t, every(20*time.Millisecond, func(ctx context.Context) {
		for _, reconciler := range []reconcile.Reconciler{rotator, c.publisher} {
			if _, err := reconciler.Reconcile(ctx, reconcile.Request{}); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	}))
	eventually(t, "first CA is made", func() bool { return c.secret() != nil })
	processes := []string{serve(t, secrets, settings), serve(t, secrets, settings)}
	eventually(t, "first CA is published", func() bool {
		bundles, err := c.publisher.Published(t.Context())
		return err == nil && !slices.ContainsFunc(bundles, func(bundle []byte) bool { return len(bundle) == 0 })
	})

	// The API server notices 100 ms late at most what has been published in each entry; the propagation delay is for that.
	var trusted atomic.Pointer[[][]byte]
	notice := func(ctx context.Context) {
		if bundles, err := c.publisher.Published(ctx); err == nil {
			trusted.Store(&bundles)
		}
	}
	notice(t.Context())
	run(t, every(100*time.Millisecond, notice))

	var requests atomic.Int64
	failures := make(chan error, 10)
	for i := range 4 {
		run(t, every(10*time.Millisecond, func(ctx context.Context) {
			if err := request(ctx, processes[i%2], (*trusted.Load())[i]); err != nil && ctx.Err() == nil {
				select {
				case failures <- err:
				default:
				}
			}
			requests.Add(1)
		}))
	}

	first := c.state()
	for range 4 {
		before := c.state().current.String()
		c.ask(func() bool { return c.state().current.String() != before })
	}
	if len(c.state().retired) == 0 {
		t.Error("no CA overlaps; the test proves nothing")
	}
	eventually(t, "old CAs have left the bundle", func() bool {
		s := c.state()
		return len(s.retired) == 0 && s.current.String() != first.current.String()
	})
	if requests.Load() < 100 {
		t.Errorf("%d requests; the test proves nothing", requests.Load())
	}
	for len(failures) > 0 {
		t.Errorf("request failed: %v", <-failures)
	}
	t.Logf("%d requests", requests.Load())
}

// ask asks for a rotation, again if the request has got lost: this store lets a late update overwrite an early one.
func (c *cluster) ask(answered func() bool) {
	c.t.Helper()
	annotation := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"now"}}}`, RotateAnnotation))
	eventually(c.t, "rotation", func() bool {
		s := c.state()
		if s.next == nil && !s.rotateRequested && !answered() {
			if err := c.client.Patch(c.t.Context(), c.secret(), annotation); err != nil {
				c.t.Fatal(err)
			}
		}
		return answered()
	})
}
