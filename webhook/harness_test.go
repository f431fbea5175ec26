// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	webhookrequest "k8s.io/apiserver/pkg/admission/plugin/webhook/request"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/webhook"
)

const systemNamespace = "credence-credentials"

// fixture is the admission entries with a catalog, and the cluster behind it.
type fixture struct {
	t        testing.TB
	known    *catalog.Catalog
	cluster  *cluster
	log      *logBuffer
	registry *prometheus.Registry
	handlers map[string]http.Handler
}

// Register makes the fixture a server.
func (f *fixture) Register(path string, handler http.Handler) { f.handlers[path] = handler }

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{
		t: t, known: catalog.New(credential.DefaultLayout()), cluster: &cluster{objects: map[string]client.Object{}},
		log: &logBuffer{}, registry: prometheus.NewRegistry(), handlers: map[string]http.Handler{},
	}
	err := webhook.Register(f, webhook.Options{
		Catalog: f.known, Live: f.cluster, Registry: f.registry,
		Log: logr.FromSlogHandler(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}, func(next http.Handler) http.Handler { return next })
	if err != nil {
		t.Fatal(err)
	}
	return f
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

const reviewUID = types.UID("4d2f1d0e-6b1e-4d0c-9f3c-0a1b2c3d4e5f")

// reviewOf is the creation of a pod as an API server asks about it.
func reviewOf(namespace string, pod []byte) []byte {
	return marshal(review(namespace, pod))
}

func review(namespace string, pod []byte) *admissionv1.AdmissionReview {
	kind := metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}
	resource := metav1.GroupVersionResource{Version: "v1", Resource: "pods"}
	dryRun := false
	return &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{Kind: "AdmissionReview", APIVersion: "admission.k8s.io/v1"},
		Request: &admissionv1.AdmissionRequest{
			UID: reviewUID, Kind: kind, Resource: resource, RequestKind: &kind, RequestResource: &resource,
			Namespace: namespace, Operation: admissionv1.Create, DryRun: &dryRun,
			UserInfo: authenticationv1.UserInfo{
				Username: "system:serviceaccount:kube-system:replicaset-controller", UID: "5c8e7a0d-2b0f-4d6b-8f51-1f1b0c9d7e11",
				Groups: []string{"system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"},
				Extra:  map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"JTI=0b9d2f3e-7c53-4a2c-9a0b-6f1d5e4c3b2a"}},
			},
			Object:  runtime.RawExtension{Raw: pod},
			Options: runtime.RawExtension{Raw: []byte(`{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1"}`)},
		},
	}
}

func marshal(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // what tests make can be encoded
	}
	return text
}

// podWith is a pod with annotations and one container.
func podWith(annotations map[string]string) string {
	return string(marshal(map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"generateName": "web-", "annotations": annotations},
		"spec":     map[string]any{"containers": []any{map[string]any{"name": "web", "image": "registry.example.com/web:1"}}},
	}))
}

// naming is a pod that names credentials.
func naming(names ...string) string {
	return podWith(map[string]string{v1alpha1.AnnotationCredentials: strings.Join(names, ", ")})
}

func namespace(name string, labels map[string]string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
	}
}

// project is a namespace that is one, of a department if it is not empty.
func project(name, department string) *metav1.PartialObjectMetadata {
	labels := map[string]string{v1alpha1.LabelProject: name}
	if department != "" {
		labels[v1alpha1.LabelDepartment] = department
	}
	return namespace(name, labels)
}

// generic is a credential that is ready, with one key. The scope follows from the
// namespace and the department.
func generic(namespace, name, department string) *v1alpha1.Credential {
	scope := v1alpha1.Scope{Level: v1alpha1.ScopeProject}
	switch {
	case department != "":
		scope = v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: department}
	case namespace == systemNamespace:
		scope.Level = v1alpha1.ScopeCluster
	}
	return &v1alpha1.Credential{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1},
		Spec:       v1alpha1.CredentialSpec{Type: v1alpha1.Generic, Scope: scope, SecretRef: v1alpha1.SecretReference{Name: name}},
		Status:     v1alpha1.CredentialStatus{ObservedGeneration: 1, Keys: []v1alpha1.SecretKey{{Key: "KEY_OF_" + strings.ToUpper(name)}}},
	}
}

// behind is the credential before the controller has seen it.
func behind(c *v1alpha1.Credential) *v1alpha1.Credential {
	c = c.DeepCopy()
	c.Status = v1alpha1.CredentialStatus{}
	return c
}

// cluster is what an API server has. It counts what it is asked.
type cluster struct {
	mu      sync.Mutex
	objects map[string]client.Object
	reads   []string
	// before is called before each read is answered, if it is set.
	before func(ctx context.Context, what string) error
}

func describe(object client.Object, key types.NamespacedName) string {
	kind := object.GetObjectKind().GroupVersionKind().Kind
	if _, ok := object.(*v1alpha1.Credential); ok {
		kind = "Credential"
	}
	return strings.TrimSuffix(fmt.Sprintf("%s %s/%s", kind, key.Namespace, key.Name), "/")
}

func (c *cluster) create(objects ...client.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, object := range objects {
		c.objects[describe(object, client.ObjectKeyFromObject(object))] = object
	}
}

func (c *cluster) Get(ctx context.Context, key types.NamespacedName, into client.Object, _ ...client.GetOption) error {
	what := describe(into, key)
	c.mu.Lock()
	c.reads = append(c.reads, what)
	before := c.before
	c.mu.Unlock()
	if before != nil {
		if err := before(ctx, what); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch found := c.objects[what].(type) {
	case *v1alpha1.Credential:
		found.DeepCopyInto(into.(*v1alpha1.Credential))
	case *metav1.PartialObjectMetadata:
		found.DeepCopyInto(into.(*metav1.PartialObjectMetadata))
	default:
		return apierrors.NewNotFound(schema.GroupResource{Resource: "things"}, key.Name)
	}
	return nil
}

// List is not for admission.
func (c *cluster) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("admission must not list")
}

// asked returns what was read since it was asked last.
func (c *cluster) asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	reads := c.reads
	c.reads = nil
	return reads
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
				labels = append(labels, label.GetValue())
			}
			slices.Sort(labels)
			if value := metric.GetCounter().GetValue(); value != 0 {
				values[family.GetName()+"{"+strings.Join(labels, ",")+"}"] = value
			}
		}
	}
	return values
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in time", what)
		}
		time.Sleep(time.Millisecond)
	}
}
