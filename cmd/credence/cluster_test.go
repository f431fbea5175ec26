// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/apitest"
	"github.com/credence-dev/credence/certs"
	"github.com/credence-dev/credence/charts"
)

// patience is a deadline for what should come at once.
const patience = time.Minute

// apiCluster is an API server with the project team-a. Processes reach it through a
// proxy, which holds up what it says of Credentials and of WorkloadKinds until it is
// released.
type apiCluster struct {
	client     client.Client
	kubeconfig string
	// release releases all, releaseCredentials them alone.
	release, releaseCredentials func()
}

func newCluster(t *testing.T) *apiCluster {
	t.Helper()
	config := apitest.Start(t, charts.CRDs)
	c := &apiCluster{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	var err error
	if c.client, err = client.New(config, client.Options{Scheme: scheme()}); err != nil {
		t.Fatal(err)
	}
	for name, labels := range map[string]map[string]string{"credence": nil, "team-a": {v1alpha1.LabelProject: "team-a"}} {
		if err := c.client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}); err != nil {
			t.Fatal(err)
		}
	}
	credentials, kinds := make(chan struct{}), make(chan struct{})
	c.releaseCredentials = sync.OnceFunc(func() { close(credentials) })
	c.release = sync.OnceFunc(func() {
		c.releaseCredentials()
		close(kinds)
	})
	t.Cleanup(c.release)
	written := clientcmdapi.NewConfig()
	written.Clusters["proxy"] = &clientcmdapi.Cluster{Server: startProxy(t, config, map[string]chan struct{}{"credentials": credentials, "workloadkinds": kinds})}
	written.Contexts["proxy"] = &clientcmdapi.Context{Cluster: "proxy"}
	written.CurrentContext = "proxy"
	if err := clientcmd.WriteToFile(*written, c.kubeconfig); err != nil {
		t.Fatal(err)
	}
	return c
}

func startProxy(t *testing.T, config *rest.Config, released map[string]chan struct{}) (address string) {
	t.Helper()
	target, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1 // watches
	if proxy.Transport, err = rest.TransportFor(config); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wait, held := released[path.Base(r.URL.Path)]; held {
			select {
			case <-wait:
			case <-r.Context().Done():
				return
			}
		}
		defer func() { _ = recover() }() // the proxy panics when either side goes away
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// makeCA does the controller's part, and returns the bundle.
func (c *apiCluster) makeCA(t *testing.T) []byte {
	t.Helper()
	key := types.NamespacedName{Namespace: "credence", Name: webhookCASecret}
	if _, err := (&certs.Rotator{Client: c.client, Reader: c.client, Secret: key}).Reconcile(t.Context(), reconcile.Request{}); err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{}
	if err := c.client.Get(t.Context(), key, secret); err != nil {
		t.Fatal(err)
	}
	return secret.Data[certs.BundleKey]
}

// webhookProcess is a running "credence webhook", or another that serves reviews.
type webhookProcess struct {
	command         *exec.Cmd
	address, health string
	log             syncBuffer
	ended           chan error
}

// program is the test binary as the program.
func program(ctx context.Context, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, os.Args[0], arguments...)
	command.Env = append(os.Environ(), asProgram+"=1")
	return command
}

func (c *apiCluster) startWebhook(t *testing.T, flags ...string) *webhookProcess {
	t.Helper()
	return c.start(t, "webhook", flags...)
}

func (c *apiCluster) start(t *testing.T, command string, flags ...string) *webhookProcess {
	t.Helper()
	w := &webhookProcess{address: freeAddress(t), health: freeAddress(t), ended: make(chan error, 1)}
	w.command = program(context.Background(), append([]string{command, "--install-namespace=credence", "--cert-dns-names=localhost",
		"--metrics-bind-address=0", "--bind-address=" + w.address, "--health-bind-address=" + w.health}, flags...)...)
	w.command.Env = append(w.command.Env, "KUBECONFIG="+c.kubeconfig)
	w.command.Stderr = &w.log
	if err := w.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { w.ended <- w.command.Wait() }()
	t.Cleanup(func() {
		w.kill()
		if t.Failed() {
			t.Logf("the log of the process:\n%s", w.log.String())
		}
	})
	return w
}

func (w *webhookProcess) kill() { _ = w.command.Process.Kill() }

func (w *webhookProcess) signal(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if err := w.command.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// check asks a probe, and returns 0 while nobody answers.
func (w *webhookProcess) check(t *testing.T, path string) int {
	t.Helper()
	response, err := http.Get("http://" + w.health + path)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// apiClient is an API server's connection.
type apiClient struct {
	http.Client
	address string
}

func (w *webhookProcess) client(bundle []byte, shown *tls.Certificate) *apiClient {
	config := trusting(bundle)
	if shown != nil {
		config.Certificates = []tls.Certificate{*shown}
	}
	return &apiClient{http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: patience}, w.address}
}

func (c *apiClient) post(t *testing.T, path string) (code int, body string, closes bool) {
	t.Helper()
	return c.send(t, path, aReview)
}

func (c *apiClient) send(t *testing.T, path, review string) (code int, body string, closes bool) {
	t.Helper()
	response, err := c.Post("https://"+c.address+path, "application/json", strings.NewReader(review))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text), response.Close
}

func trusting(bundle []byte) *tls.Config {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	return &tls.Config{RootCAs: roots, ServerName: "localhost"}
}

// clientCertificate makes a CA, of which it writes a file, and a client's certificate.
func clientCertificate(t *testing.T, name string) (caFile string, shown tls.Certificate) {
	t.Helper()
	now := time.Now()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	authority, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	caFile = filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority}), 0o600); err != nil {
		t.Fatal(err)
	}
	return caFile, tls.Certificate{Certificate: [][]byte{leaf}, PrivateKey: key}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline, tick := time.Now().Add(patience), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s: not in time", what)
		}
		<-tick.C
	}
}

// syncBuffer is a buffer that a process writes while a test reads.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(text)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
