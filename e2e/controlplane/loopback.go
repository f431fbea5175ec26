// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1apply "k8s.io/client-go/applyconfigurations/discovery/v1"
)

// ThisMachine is the address by which the API server reaches the loopback address
// of this machine when it calls a webhook's Service: endpoints may not hold a
// loopback address. It is reserved for documentation (RFC 5737), so it means
// nothing anywhere else.
const ThisMachine = "192.0.2.1"

// RouteService leads the API server's calls of a Service to servers on this
// machine's loopback address. The keys of ports are the names of the Service's
// ports ("" for its only, nameless one), the values those that the servers listen
// on. The Service need not exist yet.
func (c *ControlPlane) RouteService(ctx context.Context, namespace, service string, ports map[string]int32) error {
	client, err := c.clientset()
	if err != nil {
		return err
	}
	slice := corev1apply.EndpointSlice(service+"-this-machine", namespace).
		WithLabels(map[string]string{
			discoveryv1.LabelServiceName: service,
			discoveryv1.LabelManagedBy:   "this-machine",
		}).
		WithAddressType(discoveryv1.AddressTypeIPv4).
		WithEndpoints(corev1apply.Endpoint().WithAddresses(ThisMachine).
			WithConditions(corev1apply.EndpointConditions().WithReady(true)))
	for name, port := range ports {
		slice.WithPorts(corev1apply.EndpointPort().WithName(name).WithPort(port))
	}
	_, err = client.DiscoveryV1().EndpointSlices(namespace).Apply(ctx, slice, metav1.ApplyOptions{FieldManager: "this-machine", Force: true})
	if err != nil {
		return fmt.Errorf("routing the service %s/%s: %w", namespace, service, err)
	}
	return nil
}

// loopbackGate is the proxy through which the API server makes its connections to
// the cluster network (webhooks' Services, kubelets). It takes ThisMachine to the
// loopback address, and everything else where it says.
type loopbackGate struct {
	dir    string // holds nothing but the socket
	server *http.Server
	done   chan struct{}
}

func openLoopbackGate() (*loopbackGate, error) {
	// A socket in a folder of this user alone. It is a temporary one, because
	// the path of a socket may have about 100 bytes only. (With HTTP over TCP,
	// kube-apiserver 1.37 panics unless there is TLS.)
	dir, err := os.MkdirTemp("", "controlplane-")
	if err != nil {
		return nil, fmt.Errorf("opening the way to this machine: %w", err)
	}
	g := &loopbackGate{dir: dir, done: make(chan struct{})}
	listener, err := net.Listen("unix", g.socket())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the way to this machine: %w", err), os.RemoveAll(dir))
	}
	g.server = &http.Server{Handler: http.HandlerFunc(connect), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(g.done)
		_ = g.server.Serve(listener) // ends by Close
	}()
	return g, nil
}

func (g *loopbackGate) socket() string { return filepath.Join(g.dir, "socket") }

func (g *loopbackGate) close() error {
	err := g.server.Close()
	<-g.done
	return errors.Join(err, os.RemoveAll(g.dir))
}

// writeConfig writes the API server's egress selector configuration.
func (g *loopbackGate) writeConfig(path string) error {
	const config = `apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport:
      uds:
        udsName: %s
`
	if err := os.WriteFile(path, fmt.Appendf(nil, config, g.socket()), 0o600); err != nil {
		return fmt.Errorf("writing the way to this machine: %w", err)
	}
	return nil
}

// connect serves HTTP CONNECT.
func connect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
		return
	}
	address := r.URL.Host
	if host, port, err := net.SplitHostPort(address); err == nil && host == ThisMachine {
		address = net.JoinHostPort(loopback, port)
	}
	var dialer net.Dialer
	server, err := dialer.DialContext(r.Context(), "tcp", address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		server.Close()
		return
	}
	defer client.Close()
	defer server.Close()
	// The client speaks TLS after this answer, so nothing is buffered before.
	if _, err := io.Copy(client, strings.NewReader("HTTP/1.1 200 OK\r\n\r\n")); err != nil {
		return
	}
	var ways sync.WaitGroup
	ways.Go(func() { pour(server, buffered) })
	ways.Go(func() { pour(client, server) })
	ways.Wait()
}

// pour copies until the source ends, and tells the other side that it did. An
// error means that the connection is gone, which both sides notice themselves.
func pour(to net.Conn, from io.Reader) {
	_, _ = io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
