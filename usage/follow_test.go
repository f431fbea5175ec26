// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/credence-dev/credence/usage"
)

// A Follower runs on standbys too.
var (
	_ manager.Runnable               = &usage.Follower{}
	_ manager.LeaderElectionRunnable = &usage.Follower{}
)

const patience = 30 * time.Second

var worlds atomic.Int32

// world is a namespace in a real cluster, and an index that follows the cluster.
type world struct {
	*testing.T
	client.Client
	namespace string
	index     *usage.Index
	metrics   *prometheus.Registry
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c, err := client.New(config(t), client.Options{Scheme: scheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, Client: c, namespace: fmt.Sprintf("w%d", worlds.Add(1)), index: usage.NewIndex(), metrics: prometheus.NewRegistry()}
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
	return w
}

// follow has the index follow the cluster until the test ends.
func (w *world) follow(config *rest.Config, options usage.Options) *usage.Follower {
	w.Helper()
	options.Registerer = w.metrics
	options.RetryBase, options.RetryMax = 20*time.Millisecond, 200*time.Millisecond
	follower, err := usage.Follow(config, w.index, options)
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- follower.Start(ctx) }()
	w.Cleanup(sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.Error(err)
		}
	}))
	return follower
}

func (w *world) create(objects ...client.Object) {
	w.Helper()
	for _, object := range objects {
		if err := w.Create(w.Context(), object); err != nil {
			w.Fatal(err)
		}
	}
}

func (w *world) remove(object client.Object) {
	w.Helper()
	if err := w.Delete(w.Context(), object, client.GracePeriodSeconds(0), client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
		w.Fatal(err)
	}
}

// eventually polls until a check has no complaint.
func (w *world) eventually(what string, check func() string) {
	w.Helper()
	var last string
	err := wait.PollUntilContextTimeout(w.Context(), 10*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		last = check()
		return last == "", nil
	})
	if err != nil {
		w.Fatalf("waiting until %s: %s", what, last)
	}
}

func (w *world) synced() {
	w.Helper()
	w.eventually("the index is complete", func() string {
		if !w.index.Synced() {
			return "it is not"
		}
		return ""
	})
}

// users waits until the users of the credential hub in the world's namespace are
// those, as "<Kind> <name>".
func (w *world) users(want ...string) {
	w.Helper()
	w.eventually("the users are right", func() string {
		users := w.index.Users(usage.Query{Name: "hub", Secret: "dockerregistry-hub", Namespaces: []string{w.namespace}})
		var got []string
		for _, list := range [][]usage.User{users.Workloads, users.Templates, users.Automatic} {
			for _, user := range list {
				got = append(got, user.Kind+" "+user.Name)
			}
		}
		return cmp.Diff(want, got)
	})
}

// gauge returns what a metric says of a kind, -1 if it says nothing.
func (w *world) gauge(name, kind string) float64 {
	w.Helper()
	families, err := w.metrics.Gather()
	if err != nil {
		w.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == name && metric.GetLabel()[0].GetValue() == kind {
				return metric.GetGauge().GetValue()
			}
		}
	}
	return -1
}

// followed waits until a kind is followed.
func (w *world) followed(kind string) {
	w.Helper()
	w.eventually(kind+" is followed", func() string {
		if w.gauge("credence_usage_followed", kind) != 1 {
			return "it is not"
		}
		return ""
	})
}

func (w *world) named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name, Annotations: map[string]string{"credence.dev/credentials": "hub"}}
}

// template is one that the API server takes.
func template() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/main"}}},
	}
}

var selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}

func (w *world) deployment() *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: w.named("web"), Spec: appsv1.DeploymentSpec{Selector: selector, Template: template()}}
}

func (w *world) pod(name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: w.named(name), Spec: template().Spec}
}

// TestFollow: every kind is followed, what was there and what comes.
func TestFollow(t *testing.T) {
	w := newWorld(t)
	jobs, cron := template(), template()
	jobs.Spec.RestartPolicy, cron.Spec.RestartPolicy = corev1.RestartPolicyNever, corev1.RestartPolicyNever
	web, one, plain := w.deployment(), w.pod("one"), template()
	job := &batchv1.Job{ObjectMeta: w.named("job"), Spec: batchv1.JobSpec{Template: jobs}}
	w.create(web, one, job,
		&appsv1.StatefulSet{ObjectMeta: w.named("db"), Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template()}},
		&appsv1.DaemonSet{ObjectMeta: w.named("log"), Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template()}},
	)
	w.follow(config(t), usage.Options{})
	w.synced()
	w.create(
		&appsv1.ReplicaSet{ObjectMeta: w.named("set"), Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: template()}},
		&corev1.ReplicationController{ObjectMeta: w.named("rc"), Spec: corev1.ReplicationControllerSpec{Template: &plain}},
		&batchv1.CronJob{ObjectMeta: w.named("night"), Spec: batchv1.CronJobSpec{Schedule: "@daily", JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: cron}}}},
		&corev1.PodTemplate{ObjectMeta: w.named("template"), Template: template()},
	)
	w.users("CronJob night", "DaemonSet log", "Deployment web", "Job job", "Pod one", "ReplicaSet set", "ReplicationController rc", "StatefulSet db", "PodTemplate template")

	// An account, a finished pod, an annotation that goes, objects that go.
	w.create(&corev1.ServiceAccount{ObjectMeta: w.named("puller"), ImagePullSecrets: []corev1.LocalObjectReference{{Name: "dockerregistry-hub"}}})
	one.Status.Phase = corev1.PodSucceeded
	if err := w.Status().Update(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	web.Annotations, web.Spec.Template.Spec.ServiceAccountName = nil, "puller"
	if err := w.Update(t.Context(), web); err != nil {
		t.Fatal(err)
	}
	w.remove(job)
	w.users("CronJob night", "DaemonSet log", "Deployment web", "ReplicaSet set", "ReplicationController rc", "StatefulSet db", "PodTemplate template")
	w.remove(&corev1.ServiceAccount{ObjectMeta: w.named("puller")})
	w.users("CronJob night", "DaemonSet log", "ReplicaSet set", "ReplicationController rc", "StatefulSet db", "PodTemplate template")

	for _, kind := range []string{"Pod", "Deployment.apps", "CronJob.batch", "ServiceAccount"} {
		if got := w.gauge("credence_usage_followed", kind); got != 1 {
			t.Errorf("kind %s is followed: %v", kind, got)
		}
		if heard := w.gauge("credence_usage_last_heard_timestamp_seconds", kind); time.Since(time.Unix(int64(heard), 0)) > time.Hour {
			t.Errorf("kind %s was last heard of at %v", kind, heard)
		}
	}
	if got := w.gauge("credence_usage_objects", "PodTemplate"); got != 1 {
		t.Errorf("%v pod templates are held, want 1", got)
	}
}

// TestNotifies: who is told asks an index that knows.
func TestNotifies(t *testing.T) {
	w := newWorld(t)
	told := make(chan []usage.User, 100)
	w.index.Notify(func(c usage.Change) {
		if c.Namespace == w.namespace {
			told <- w.index.Users(usage.Query{Name: "hub", Namespaces: []string{w.namespace}}).Workloads
		}
	})
	w.follow(config(t), usage.Options{})
	w.synced()
	w.create(w.pod("one"))
	want := []usage.User{{Kind: "Pod", NamespacedName: types.NamespacedName{Namespace: w.namespace, Name: "one"}}}
	select {
	case got := <-told:
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	case <-time.After(patience):
		t.Fatal("nobody was told")
	}
}
