// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	webhookrequest "k8s.io/apiserver/pkg/admission/plugin/webhook/request"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/workload"
	"github.com/credence-dev/credence/webhook"
)

const systemNamespace = "credence-credentials"

// fixture is the admission entries with a catalog, and the cluster behind it.
type fixture struct {
	t        testing.TB
	known    *catalog.Catalog
	kinds    *workload.Registry
	cluster  *cluster
	log      *logBuffer
	registry *prometheus.Registry
	handlers map[string]http.Handler
}

// Register makes the fixture a server.
func (f *fixture) Register(path string, handler http.Handler) { f.handlers[path] = handler }

func newFixture(t testing.TB, change ...func(*webhook.Options)) *fixture {
	t.Helper()
	f := &fixture{
		t: t, known: catalog.New(credential.DefaultLayout()), kinds: &workload.Registry{}, cluster: &cluster{objects: map[string]client.Object{}},
		log: &logBuffer{}, registry: prometheus.NewRegistry(), handlers: map[string]http.Handler{},
	}
	options := webhook.Options{
		Catalog: f.known, Kinds: f.kinds, Live: f.cluster, Registry: f.registry,
		Log: newLogger(f.log),
	}
	for _, change := range change {
		change(&options)
	}
	err := webhook.Register(f, options, func(next http.Handler) http.Handler { return next })
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// newLogger logs as the processes do, everything.
func newLogger(to io.Writer) logr.Logger {
	return logr.FromSlogHandler(slog.NewJSONHandler(to, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// know puts objects into the cluster and into the catalog, as informers would.
func (f *fixture) know(objects ...client.Object) {
	f.cluster.create(objects...)
	for _, object := range objects {
		switch object := object.(type) {
		case *v1alpha1.Credential:
			f.known.Set(catalog.NewEntry(object))
		case *metav1.PartialObjectMetadata:
			if object.Kind == "Namespace" {
				f.known.SetNamespace(object.Name, object.Labels)
			}
		default:
			f.known.SetAsset(asset.New(object))
		}
	}
}

// answer is what was said to one review.
type answer struct {
	code     int
	body     string
	response *admissionv1.AdmissionResponse // nil if what was said is no review
}

// message is what a client is told when the API server passes the answer on.
func (a answer) message() string {
	status := metav1.Status{}
	switch {
	case a.response == nil:
		if err := json.Unmarshal([]byte(a.body), &status); err != nil {
			return a.body
		}
	case a.response.Result != nil:
		status = *a.response.Result
	}
	return status.Message
}

// admit sends the creation of a pod to the entry for annotated ones.
func (f *fixture) admit(namespace string, pod string) answer {
	f.t.Helper()
	return f.admitAt(webhook.PathAnnotated, namespace, pod)
}

func (f *fixture) admitAt(path, namespace, pod string) answer {
	f.t.Helper()
	return f.post(f.t.Context(), path, reviewOf(namespace, []byte(pod)))
}

// post posts a review. Every answer is held to the API server's rules.
func (f *fixture) post(ctx context.Context, path string, body []byte) answer {
	f.t.Helper()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return f.do(r)
}

func (f *fixture) do(r *http.Request) answer {
	f.t.Helper()
	w := httptest.NewRecorder()
	f.handlers[r.URL.Path].ServeHTTP(w, r)
	return read(f.t, w.Code, w.Body.String())
}

func read(t testing.TB, code int, body string) answer {
	t.Helper()
	answer := answer{code: code, body: body}
	if code != http.StatusOK {
		return answer
	}
	review := &admissionv1.AdmissionReview{}
	if err := json.Unmarshal([]byte(body), review); err != nil {
		t.Errorf("the answer is not JSON: %v: %s", err, body)
		return answer
	}
	if _, err := webhookrequest.VerifyAdmissionResponse(reviewUID, true, review); err != nil {
		t.Errorf("the API server would not take the answer: %v: %s", err, body)
	}
	answer.response = review.Response
	return answer
}

// logBuffer keeps what is logged.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

// lines returns the lines so far, each decoded, without their times.
func (l *logBuffer) lines(t testing.TB) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []map[string]any
	for line := range strings.Lines(l.text.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		delete(fields, "time")
		lines = append(lines, fields)
	}
	return lines
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// counters returns the metrics that are not 0, as "name{label values}" → value.
func (f *fixture) counters() map[string]float64 {
	f.t.Helper()
	families, err := f.registry.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, label.GetValue()) // in the order of their names
			}
			if value := metric.GetCounter().GetValue(); value != 0 {
				values[family.GetName()+"{"+strings.Join(labels, ",")+"}"] = value
			}
		}
	}
	return values
}

// pass lets time go by in a bubble of synctest, where it costs none.
func pass(d time.Duration) { <-time.After(d) }

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
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
