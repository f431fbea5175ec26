// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/yaml"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/golden"
	"github.com/credence-dev/credence/manifest"
	"github.com/credence-dev/credence/webhook"
)

// TestGolden runs the injector's golden cases that are one Pod through the entries,
// over HTTPS. What comes out is what the command prints, and what is said is the
// same sentence.
func TestGolden(t *testing.T) {
	all, err := golden.Load("../injector/testdata")
	if err != nil {
		t.Fatal(err)
	}
	clock := clocktesting.NewFakeClock(time.Now())
	handlers := map[string]http.Handler{}
	cases := map[string]golden.Case{}
	for _, c := range all {
		_, isPod := c.Pod()
		if _, refusal := c.Sentences(); isPod && (c.Want != nil || refusal != "") { // not what is wrong as a manifest
			cases[c.Name] = c
			for path, handler := range goldenHandlers(t, &c, clock) {
				handlers["/"+c.Name+path] = handler
			}
		}
	}
	if len(cases) < 100 {
		t.Fatalf("%d cases of %d are pods; the test proves little", len(cases), len(all))
	}
	certificate, bundle := newCertificate(t)
	address := serveHTTPS(t, certificate, handlers)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	t.Cleanup(client.CloseIdleConnections)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go hurry(ctx, clock)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			document, _ := c.Pod()
			path, namespace := goldenRequest(t, &c, document)
			response, err := client.Post("https://"+address+"/"+name+path, "application/json", bytes.NewReader(reviewOf(namespace, document)))
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			checkGolden(t, &c, document, read(t, response.StatusCode, string(body)))
		})
	}
}

// goldenHandlers are the entries with the catalog of a case.
func goldenHandlers(t *testing.T, c *golden.Case, clock *clocktesting.FakeClock) map[string]http.Handler {
	t.Helper()
	documents, err := manifest.ReadFile(c.Assets, nil)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	assets, err := manifest.ReadAssets(documents)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	layout := credential.DefaultLayout()
	if c.Flags.ProjectLabel != "" {
		layout.ProjectLabel = c.Flags.ProjectLabel
	}
	known, _ := assets.Catalog(layout, "team-a")
	f := &fixture{handlers: map[string]http.Handler{}}
	err = webhook.Register(f, webhook.Options{
		Catalog: known, Live: &cluster{}, Log: newLogger(io.Discard), Registry: prometheus.NewRegistry(), Clock: clock,
	}, func(next http.Handler) http.Handler { return next })
	if err != nil {
		t.Fatal(err)
	}
	return f.handlers
}

// hurry lets time pass for whoever waits.
func hurry(ctx context.Context, clock *clocktesting.FakeClock) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if clock.HasWaiters() {
				clock.Step(100 * time.Millisecond)
			}
		}
	}
}

// goldenRequest is where the API server would send the pod, and its namespace.
func goldenRequest(t *testing.T, c *golden.Case, document []byte) (path, namespace string) {
	t.Helper()
	var object struct {
		Metadata struct {
			Namespace   string         `json:"namespace"`
			Annotations map[string]any `json:"annotations"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(document, &object); err != nil {
		return webhook.PathAnnotated, c.Flags.Namespace
	}
	path, namespace = webhook.PathPullSecrets, c.Flags.Namespace
	for key := range object.Metadata.Annotations {
		if annotation.Ours(key) {
			path = webhook.PathAnnotated
		}
	}
	if object.Metadata.Namespace != "" {
		namespace = object.Metadata.Namespace
	}
	return path, namespace
}

func checkGolden(t *testing.T, c *golden.Case, document []byte, answer answer) {
	t.Helper()
	if answer.response == nil {
		t.Fatalf("answer: %d %s", answer.code, answer.body)
	}
	warnings, refusal := c.Sentences()
	if diff := cmp.Diff(warnings, answer.response.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(refusal, answer.message()); diff != "" || answer.response.Allowed != (c.Want != nil) {
		t.Errorf("refusal (-want +got):\n%s", diff)
	}
	if c.Want == nil {
		return
	}
	got := document
	if len(answer.response.Patch) > 0 {
		patch, err := jsonpatch.DecodePatch(answer.response.Patch)
		if err != nil {
			t.Fatal(err)
		}
		if got, err = patch.Apply(document); err != nil {
			t.Fatal(err)
		}
	}
	if c.Flags.Output == string(manifest.Patch) {
		return // is the patch itself
	}
	if diff := cmp.Diff(value(t, c.Want), value(t, got), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("pod (-want +got):\n%s", diff)
	}
}

// value is a document as plain values.
func value(t *testing.T, document []byte) (value any) {
	t.Helper()
	if err := yaml.Unmarshal(document, &value); err != nil {
		t.Fatal(err)
	}
	return value
}
