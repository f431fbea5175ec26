// SPDX-License-Identifier: Apache-2.0

package serving_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/credence-dev/credence/serving"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	pair tls.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.pair = a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign makes a certificate, self-signed if the authority has none yet.
func (a *authority) sign(template *x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, any(key)
	if a.pair.Leaf != nil {
		parent, signer = a.pair.Leaf, a.pair.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.pair.Leaf.Raw})
}

func client(name string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
}

// TestClients: who may connect does, and nobody else.
func TestClients(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	byDNS := client("")
	byDNS.DNSNames = []string{"apiserver.example.com"}
	server := &x509.Certificate{Subject: pkix.Name{CommonName: "apiserver"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	names := []string{"apiserver", "apiserver.example.com"}
	for name, test := range map[string]struct {
		names  []string
		shows  []tls.Certificate
		admits bool
	}{
		"a client":                    {nil, []tls.Certificate{ours.sign(client("anybody"))}, true},
		"no certificate":              {nil, nil, false},
		"one of another CA":           {nil, []tls.Certificate{other.sign(client("anybody"))}, false},
		"one that is for servers":     {nil, []tls.Certificate{ours.sign(server)}, false},
		"a client of that name":       {names, []tls.Certificate{ours.sign(client("apiserver"))}, true},
		"a client of that DNS name":   {names, []tls.Certificate{ours.sign(byDNS)}, true},
		"a client of another name":    {names, []tls.Certificate{ours.sign(client("kubelet"))}, false},
		"that name, of another CA":    {names, []tls.Certificate{other.sign(client("apiserver"))}, false},
		"a client without any name":   {names, []tls.Certificate{ours.sign(client(""))}, false},
		"no certificate, with a name": {names, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ca.crt")
			write(t, file, ours.pem())
			address := listen(t, serving.Clients{CAFile: file, Names: test.names})
			if got := connects(address, &tls.Config{Certificates: test.shows}); got != test.admits {
				t.Errorf("admitted: %t", got)
			}
		})
	}
	t.Run("everybody", func(t *testing.T) {
		if !connects(listen(t, serving.Clients{}), &tls.Config{}) {
			t.Error("not admitted")
		}
	})
}

// TestClientsFileIsReplaced: a CA that goes is no longer believed, at once.
func TestClientsFileIsReplaced(t *testing.T) {
	old, next := newAuthority(t), newAuthority(t)
	file := filepath.Join(t.TempDir(), "ca.crt")
	write(t, file, old.pem())
	address := listen(t, serving.Clients{CAFile: file})
	// Sessions are resumed, and must not outlive the right to them.
	ofOld := &tls.Config{Certificates: []tls.Certificate{old.sign(client("a"))}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	ofNext := &tls.Config{Certificates: []tls.Certificate{next.sign(client("a"))}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for step, want := range []bool{true, false} {
		if got := connects(address, ofOld); got != want {
			t.Errorf("step %d: the old CA's client is admitted: %t", step, got)
		}
		if got := connects(address, ofNext); got == want {
			t.Errorf("step %d: the next CA's client is admitted: %t", step, got)
		}
		write(t, file, next.pem())
	}
}

func TestClientsConfigure(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "ca.crt")
	write(t, empty, []byte("no certificate"))
	for name, clients := range map[string]serving.Clients{
		"no file":                       {CAFile: empty + "x"},
		"a file without a certificate":  {CAFile: empty},
		"names that nobody vouches for": {Names: []string{"apiserver"}},
	} {
		if err := clients.Configure(&tls.Config{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// listen starts a server and returns its address.
func listen(t *testing.T, clients serving.Clients) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{}
	if err := clients.Configure(server.TLS); err != nil {
		t.Fatal(err)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// connects makes one request over a new connection.
func connects(address string, config *tls.Config) bool {
	config.InsecureSkipVerify = true // it is the server that is tested
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: config}
	response, err := (&http.Client{Transport: transport}).Get(address)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil
}
