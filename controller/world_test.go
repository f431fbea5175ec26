// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	crconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
)

const patience = 30 * time.Second

// worlds counts them, to name what is in them.
var worlds atomic.Int32

// world is a cluster with a layout of its own, in which controllers run.
type world struct {
	*testing.T
	client.Client
	layout credential.Layout
	prefix string
	// sent are the requests of the running controllers.
	sent *requests
	stop func()
	// hold is called before a request of the controllers is sent, and may wait.
	hold func(*http.Request)
	// configure changes the options of the controllers.
	configure func(*controller.Options)
	// config is where the API server is, log where the controllers log to, and metrics
	// what those that run now measure.
	config  *rest.Config
	log     logr.Logger
	metrics *prometheus.Registry
	// late, if there is one, says when the index of who uses what is complete.
	late *atomic.Bool
	// nudges counts the events that were brought about.
	nudges int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldAt(t, apiServer.Config(t))
}

func newWorldAt(t *testing.T, at *rest.Config) *world {
	t.Helper()
	c, err := client.New(at, client.Options{Scheme: testScheme})
	if err != nil {
		t.Fatal(err)
	}
	prefix := fmt.Sprintf("w%d", worlds.Add(1))
	w := &world{T: t, Client: c, config: at, log: logr.Discard(), prefix: prefix, stop: func() {}, layout: credential.Layout{
		SystemNamespace:  prefix + "-system",
		InstallNamespace: prefix + "-install",
		ProjectLabel:     prefix + ".example.com/project",
		DepartmentLabel:  prefix + ".example.com/department",
	}}
	w.namespace("system", nil)
	w.namespace("install", nil)
	t.Cleanup(func() {
		w.stop()
		w.clean()
	})
	return w
}

var withoutFinalizers = client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))

// clean leaves nothing to the controllers of the next test.
func (w *world) clean() {
	ctx := context.Background()
	var credentials v1alpha1.CredentialList
	w.must(w.List(ctx, &credentials))
	for i := range credentials.Items {
		c := &credentials.Items[i]
		w.must(client.IgnoreNotFound(w.Patch(ctx, c, withoutFinalizers)))
		w.must(client.IgnoreNotFound(w.Delete(ctx, c)))
	}
	w.cleanAssets(ctx)
	var secrets corev1.SecretList
	w.must(w.List(ctx, &secrets, client.HasLabels{v1alpha1.LabelCopyOf}))
	for i := range secrets.Items {
		w.must(client.IgnoreNotFound(w.Delete(ctx, &secrets.Items[i])))
	}
}

// run starts the controllers, as a process of their own would.
func (w *world) run() {
	w.Helper()
	w.stop()
	w.sent = &requests{hold: w.hold}
	cfg := rest.CopyConfig(w.config)
	cfg.QPS = -1
	cfg.Wrap(w.sent.count)
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:     testScheme,
		Logger:     w.log,
		Cache:      controller.CacheOptions(),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: crconfig.Controller{SkipNameValidation: new(true)},
	})
	w.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	into := catalog.New(w.layout)
	f, err := feed.Start(ctx, mgr.GetCache(), into)
	w.must(err)
	w.metrics = prometheus.NewRegistry()
	options := controller.Options{
		Catalog: into, Feed: f, Usage: w.follow(mgr),
		UsageInterval: 50 * time.Millisecond, UsageLag: 100 * time.Millisecond,
		RetryBase: 50 * time.Millisecond, RetryMax: 200 * time.Millisecond,
		StrayInterval: 100 * time.Millisecond,
		Drain:         50 * time.Millisecond,
		Registerer:    w.metrics,
	}
	if w.configure != nil {
		w.configure(&options)
	}
	w.must(controller.Setup(ctx, mgr, options))
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.Error(err)
		}
	})
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// namespace makes a namespace and returns its full name.
func (w *world) namespace(name string, labels map[string]string) string {
	w.Helper()
	full := w.prefix + "-" + name
	w.must(w.Create(w.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: full, Labels: labels}}))
	return full
}

// project makes a project, in a department if it has a name.
func (w *world) project(name, department string) string {
	w.Helper()
	labels := map[string]string{w.layout.ProjectLabel: name}
	if department != "" {
		labels[w.layout.DepartmentLabel] = department
	}
	return w.namespace(name, labels)
}

// relabel sets or, with an empty value, removes a label.
func (w *world) relabel(object client.Object, key, value string) {
	w.Helper()
	w.change(object, func() {
		labels := object.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[key] = value
		if value == "" {
			delete(labels, key)
		}
		object.SetLabels(labels)
	})
}

// change updates an object that may have changed meanwhile.
func (w *world) change(object client.Object, mutate func()) {
	w.Helper()
	w.eventually("an update is taken", func() error {
		if err := w.Get(w.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		mutate()
		return w.Update(w.Context(), object)
	})
}

func (w *world) secret(namespace, name string) *corev1.Secret {
	w.Helper()
	var secret corev1.Secret
	if err := w.Get(w.Context(), types.NamespacedName{Namespace: namespace, Name: name}, &secret); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		w.Fatal(err)
	}
	return &secret
}

// eventually polls until a check has no complaint.
func (w *world) eventually(what string, check func() error) {
	w.Helper()
	var last error
	err := wait.PollUntilContextTimeout(w.Context(), 20*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		last = check()
		return last == nil, nil
	})
	if err != nil {
		w.Fatalf("waiting until %s: %v", what, last)
	}
}

// status waits for a status that fits, and returns it.
func (w *world) status(c *v1alpha1.Credential, what string, fits func(v1alpha1.CredentialStatus) bool) v1alpha1.CredentialStatus {
	w.Helper()
	var now v1alpha1.Credential
	w.eventually("the status of "+c.Name+" is "+what, func() error {
		if err := w.Get(w.Context(), client.ObjectKeyFromObject(c), &now); err != nil {
			return err
		}
		if now.Status.ObservedGeneration != now.Generation || !fits(now.Status) {
			return fmt.Errorf("it is %+v", now.Status)
		}
		return nil
	})
	return now.Status
}

// spread waits until every namespace in scope, as many as told, has its copy.
func (w *world) spread(c *v1alpha1.Credential, namespaces int32) v1alpha1.CredentialStatus {
	w.Helper()
	return w.status(c, "spread", func(s v1alpha1.CredentialStatus) bool {
		return s.State == v1alpha1.StateNoIssuesFound && s.Namespaces.Desired == namespaces && s.Namespaces.Ready == namespaces
	})
}

// because waits until the condition Ready has a reason.
func (w *world) because(c *v1alpha1.Credential, reason string) v1alpha1.CredentialStatus {
	w.Helper()
	return w.status(c, reason, func(s v1alpha1.CredentialStatus) bool { return ready(s).Reason == reason })
}

func ready(s v1alpha1.CredentialStatus) metav1.Condition {
	for _, condition := range s.Conditions {
		if condition.Type == v1alpha1.ConditionReady {
			return condition
		}
	}
	return metav1.Condition{}
}
