// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/credence-dev/credence/webhook"
)

const aReview = `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","operation":"CREATE",` +
	`"resource":{"group":"","version":"v1","resource":"pods"},"namespace":"team-a",` +
	`"object":{"metadata":{"annotations":{"credence.dev/credentials":"absent"}},"spec":{"containers":[{"name":"a"}]}}}}`

// aRefusal is what is said to aReview once everything that exists is known.
const aRefusal = `there is no credential \"absent\" in namespace team-a`

// TestWebhookProcess follows the program from its start to its end: when it is ready,
// what it serves before and while it stops, and how.
func TestWebhookProcess(t *testing.T) {
	c := newCluster(t)
	w := c.startWebhook(t, "--serving-drain=1h")

	eventually(t, "the process to live", func() bool { return w.check(t, "/healthz") == http.StatusOK })
	if code := w.check(t, "/readyz/certificate"); code != http.StatusInternalServerError {
		t.Errorf("without a certificate the check says %d", code)
	}
	bundle := c.makeCA(t)
	eventually(t, "the certificate", func() bool { return w.check(t, "/readyz/certificate") == http.StatusOK })
	eventually(t, "the listener", func() bool { return w.check(t, "/readyz/serving") == http.StatusOK })

	api := w.client(bundle, nil)
	for _, path := range []string{webhook.PathAnnotated, webhook.PathPullSecrets} {
		if code, body, _ := api.post(t, path); code != http.StatusServiceUnavailable || !strings.Contains(body, "credence is starting") {
			t.Errorf("%s, before the caches are complete: %d %s", path, code, body)
		}
	}
	for _, check := range []string{"/readyz", "/readyz/caches"} {
		if code := w.check(t, check); code != http.StatusInternalServerError {
			t.Errorf("before the caches are complete, %s says %d", check, code)
		}
	}
	c.releaseCredentials()
	for range 100 { // as long as one of them is not
		if code := w.check(t, "/readyz/caches"); code != http.StatusInternalServerError {
			t.Fatalf("before all caches are complete the check says %d", code)
		}
	}
	c.release()
	eventually(t, "the process to be ready", func() bool { return w.check(t, "/readyz") == http.StatusOK })
	if code, body, closes := api.post(t, webhook.PathAnnotated); code != http.StatusOK || !strings.Contains(body, aRefusal) || closes {
		t.Errorf("once it is ready: %d %s, closes the connection: %t", code, body, closes)
	}
	w.protocols(t, bundle)
	silent := w.announce(t, bundle)

	w.signal(t, syscall.SIGTERM)
	eventually(t, "the process not to be ready", func() bool { return w.check(t, "/readyz") == http.StatusInternalServerError })
	if code := w.check(t, "/readyz/not-stopping"); code != http.StatusInternalServerError {
		t.Errorf("while it stops the check says %d", code)
	}
	if code := w.check(t, "/healthz"); code != http.StatusOK {
		t.Errorf("while it stops it is said not to live: %d", code)
	}
	for range 3 {
		if code, body, closes := api.post(t, webhook.PathAnnotated); code != http.StatusOK || !strings.Contains(body, aRefusal) || !closes {
			t.Errorf("while it stops: %d %s, closes the connection: %t", code, body, closes)
		}
	}
	silent()
	w.kill()
	w.logIsJSON(t)
}

// protocols holds that only HTTP/1.1 is spoken: with HTTP/2 all requests would be on
// one connection, to one replica.
func (w *webhookProcess) protocols(t *testing.T, bundle []byte) {
	t.Helper()
	for offered, want := range map[string]string{"h2,http/1.1": "http/1.1", "http/1.1": "http/1.1", "h2": "none"} {
		config := trusting(bundle)
		config.NextProtos = strings.Split(offered, ",")
		got := "none"
		if connection, err := tls.Dial("tcp", w.address, config); err == nil {
			got = connection.ConnectionState().NegotiatedProtocol
			_ = connection.Close()
		}
		if got != want {
			t.Errorf("to a client that offers %s it speaks %q, want %q", offered, got, want)
		}
	}
}

// announce announces a review that does not come. What it returns waits for the
// answer, which comes all the same.
func (w *webhookProcess) announce(t *testing.T, bundle []byte) (answered func()) {
	t.Helper()
	connection, err := tls.Dial("tcp", w.address, trusting(bundle))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n", webhook.PathAnnotated); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		defer connection.Close()
		if err := connection.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(connection)
		if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 400 ")) {
			t.Errorf("a review that does not come is answered with %.100q, %v", answer, err)
		}
	}
}

// logIsJSON holds that every line is, also what net/http says of handshakes.
func (w *webhookProcess) logIsJSON(t *testing.T) {
	t.Helper()
	handshakes := 0
	for line := range strings.Lines(w.log.String()) {
		var fields struct{ Level, Msg string }
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Errorf("log line %q: %v", line, err)
		}
		if strings.Contains(fields.Msg, "TLS handshake error") {
			handshakes++
			if fields.Level != "WARN" {
				t.Errorf("a failed handshake is logged at level %s", fields.Level)
			}
		}
	}
	if handshakes == 0 {
		t.Errorf("no failed handshake is logged:\n%s", w.log.String())
	}
}

// TestWebhookProcessForSomeClients: whom the operator has not named is not answered.
// And the process ends by itself when the drain is over.
func TestWebhookProcessForSomeClients(t *testing.T) {
	c := newCluster(t)
	c.release()
	bundle := c.makeCA(t)
	authority, shown := clientCertificate(t, "apiserver")
	_, forged := clientCertificate(t, "apiserver")
	w := c.startWebhook(t, "--serving-drain=0s", "--client-ca-file="+authority, "--client-names=apiserver")
	eventually(t, "the process to be ready", func() bool { return w.check(t, "/readyz") == http.StatusOK })
	if code, body, _ := w.client(bundle, &shown).post(t, webhook.PathAnnotated); code != http.StatusOK {
		t.Errorf("the API server is told: %d %s", code, body)
	}
	for name, certificate := range map[string]*tls.Certificate{"nothing": nil, "a forged one": &forged} {
		response, err := w.client(bundle, certificate).Post("https://"+w.address+webhook.PathAnnotated, "application/json", strings.NewReader(aReview))
		if err == nil {
			response.Body.Close()
			t.Errorf("who shows %s is answered: %s", name, response.Status)
		}
	}
	w.signal(t, syscall.SIGTERM)
	select {
	case err := <-w.ended:
		if err != nil {
			t.Errorf("it ends with %v:\n%s", err, w.log.String())
		}
	case <-time.After(patience):
		t.Errorf("it does not end")
	}
}

// TestInterruptEndsInject: Ctrl-C ends a command that reads from a terminal at once.
func TestInterruptEndsInject(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := program(ctx, "inject", "-f", "-")
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	// More than a pipe takes: when it is written, the command reads.
	if _, err := stdin.Write(bytes.Repeat([]byte("#\n"), 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := command.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	if status := command.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGINT {
		t.Errorf("it did not end by the signal but with %v", command.ProcessState)
	}
}
