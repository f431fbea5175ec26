// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller"
	"github.com/credence-dev/credence/controller/restart"
)

// restarting has a world's controllers restart workloads, and soon.
func (w *world) restarting() *world {
	w.configure = func(o *controller.Options) {
		o.Restart = restart.Settings{Enabled: true, Settle: 20 * time.Millisecond, PerSecond: 1000, Patience: time.Second}
	}
	return w
}

// rotating makes a cluster's credential that asks for restarts.
func (w *world) rotating(name string) *v1alpha1.Credential {
	w.Helper()
	c := w.generic(name)
	w.change(c, func() { c.Spec.Rotation = &v1alpha1.Rotation{Restart: true} })
	return c
}

// reading is a pod template that reads Secrets through environment variables.
func reading(secrets ...string) corev1.PodTemplateSpec {
	main := container
	for _, name := range secrets {
		main.EnvFrom = append(main.EnvFrom, corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}})
	}
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "x"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{main}},
	}
}

var selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "x"}}

// replica makes what a controller would make, with pods that started at a time.
func (w *world) replica(owner client.Object, name string, template corev1.PodTemplateSpec, at time.Time) *corev1.Pod {
	w.Helper()
	kind, err := w.GroupVersionKindFor(owner)
	w.must(err)
	if kind.Kind == "Deployment" {
		set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: owner.GetNamespace(), Name: name}, Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: template}}
		set.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, kind)}
		w.must(w.Create(w.Context(), set))
		owner, kind = set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet")
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: owner.GetNamespace(), Name: name}, Spec: *template.Spec.DeepCopy()}
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, kind)}
	w.must(w.Create(w.Context(), pod))
	w.started(pod, at)
	return pod
}

var longAgo = time.Now().Add(-time.Hour)

// web makes a Deployment that reads Secrets, with one pod that runs since long ago.
func (w *world) web(namespace, name string, secrets ...string) (*appsv1.Deployment, *corev1.Pod) {
	w.Helper()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{Selector: selector, Template: reading(secrets...)}}
	w.must(w.Create(w.Context(), d))
	return d, w.replica(d, name, d.Spec.Template, longAgo)
}

// templateOf is that of a workload, as it is now.
func (w *world) templateOf(workload client.Object) *corev1.PodTemplateSpec {
	w.Helper()
	w.must(w.Get(w.Context(), client.ObjectKeyFromObject(workload), workload))
	switch o := workload.(type) {
	case *appsv1.Deployment:
		return &o.Spec.Template
	case *appsv1.StatefulSet:
		return &o.Spec.Template
	case *appsv1.DaemonSet:
		return &o.Spec.Template
	}
	w.Fatalf("%T has no template", workload)
	return nil
}

// restarted waits until a workload is restarted for fingerprints.
func (w *world) restarted(workload client.Object, fingerprints ...string) {
	w.Helper()
	slices.Sort(fingerprints)
	w.eventually(workload.GetName()+" is restarted", func() error {
		if got := w.templateOf(workload).Annotations[v1alpha1.AnnotationRestartedFor]; got != strings.Join(fingerprints, ",") {
			return fmt.Errorf("it is restarted for %q, not %q", got, fingerprints)
		}
		return nil
	})
}

// patches returns the writes of a workload.
func (w *world) patches(workload client.Object) []string {
	return w.sent.writes("/namespaces/" + workload.GetNamespace() + "/" + strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", workload), "*v1.")) + "s/" + workload.GetName())
}

// quietly has time pass until another workload, which a new credential makes due, is
// restarted: what was due before has been dealt with.
func (w *world) quietly(namespace string) {
	w.Helper()
	w.nudges++
	name := fmt.Sprintf("quiet-%d", w.nudges)
	c := w.rotating(name)
	w.eventually("the copy is there", func() error {
		if w.secret(namespace, "genericsecret-"+name) == nil {
			return errors.New("it is not")
		}
		return nil
	})
	d, _ := w.web(namespace, name, "genericsecret-"+name)
	w.restarted(d, w.rotate(c, "not-a-secret-2").Fingerprint)
}

// TestRestart is failure modes 52 and 54: what reads values through its environment
// is restarted once for each change, and for nothing else.
func TestRestart(t *testing.T) {
	w := newWorld(t).restarting()
	a := w.project("a", "")
	w.run()
	c, other := w.rotating("key"), w.generic("other")
	w.spread(c, 1)
	w.spread(other, 1)
	web, pod := w.web(a, "web", "genericsecret-key")
	file, _ := w.web(a, "file")
	unasked, _ := w.web(a, "unasked", "genericsecret-other")
	w.change(web, func() { web.Annotations = map[string]string{"example.com/mine": "yes"} })
	w.settle(c) // label churn
	w.quietly(a)
	for _, d := range []*appsv1.Deployment{web, file, unasked} {
		if writes := w.patches(d); len(writes) > 0 {
			t.Errorf("%s was restarted before anything changed: %q", d.Name, writes)
		}
	}

	w.rotate(other, "not-a-secret-2")
	first := w.rotate(c, "not-a-secret-2")
	w.restarted(web, first.Fingerprint)
	w.settle(c)
	w.quietly(a)
	if writes := w.patches(web); len(writes) != 1 {
		t.Errorf("one change took %q", writes)
	}
	if web.Annotations["example.com/mine"] != "yes" || len(web.Spec.Template.Spec.Containers[0].EnvFrom) != 1 {
		t.Errorf("something else of it changed: %v", web)
	}
	for _, d := range []*appsv1.Deployment{file, unasked} {
		if writes := w.patches(d); len(writes) > 0 {
			t.Errorf("%s was restarted: %q", d.Name, writes)
		}
	}
	w.eventually("it is told", func() error {
		return w.toldOf(web, "RestartedForCredential", "restarted for new values of credential key")
	})

	// The pods that come have the new values, and another change is another restart.
	w.remove(pod)
	later := w.replica(web, "later", web.Spec.Template, time.Now().Add(time.Hour))
	w.quietly(a)
	if writes := w.patches(web); len(writes) != 1 {
		t.Errorf("one change took %q", writes)
	}
	w.remove(later)
	w.replica(web, "again", web.Spec.Template, longAgo)
	w.eventually("a second has passed", func() error {
		if time.Now().Truncate(time.Second).After(first.RotatedAt.Time) {
			return nil
		}
		return errors.New("not yet")
	})
	w.restarted(web, w.rotate(c, "not-a-secret-3").Fingerprint)
}

// toldOf complains unless an event of an object says something.
func (w *world) toldOf(object client.Object, reason, note string) error {
	for _, event := range w.eventsIn(object.GetNamespace()) {
		if event.Regarding.UID == object.GetUID() && event.Reason == reason {
			if strings.Contains(event.Note, "not-a-secret") {
				w.Errorf("an event tells a value: %s", event.Note)
			}
			if strings.Contains(event.Note, note) {
				return nil
			}
		}
	}
	return fmt.Errorf("no event %s says %q", reason, note)
}

// TestRestartKinds is failure mode 22: what cannot be rolled is left alone, and what
// holds its pods back is asked once and no more.
func TestRestartKinds(t *testing.T) {
	w := newWorld(t).restarting()
	a := w.project("a", "")
	w.run()
	c := w.rotating("key")
	w.spread(c, 1)
	template := reading("genericsecret-key")
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: a, Name: name} }
	stateful := appsv1.StatefulSetSpec{Selector: selector, Template: template}
	held := stateful
	held.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType
	parted := stateful
	parted.UpdateStrategy = appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType,
		RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: new(int32(2))}}
	paused := appsv1.DeploymentSpec{Selector: selector, Template: template, Paused: true}
	workloads := map[client.Object]string{
		&appsv1.StatefulSet{ObjectMeta: meta("stateful"), Spec: stateful}: "",
		&appsv1.StatefulSet{ObjectMeta: meta("held"), Spec: held}:         "OnDelete",
		&appsv1.StatefulSet{ObjectMeta: meta("parted"), Spec: parted}:     "pods below number 2",
		&appsv1.DaemonSet{ObjectMeta: meta("everywhere"), Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template,
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: appsv1.OnDeleteDaemonSetStrategyType}}}: "OnDelete",
		&appsv1.Deployment{ObjectMeta: meta("paused"), Spec: paused}: "it is paused",
	}
	for workload := range workloads {
		w.must(w.Create(w.Context(), workload))
		w.replica(workload, workload.GetName(), template, longAgo)
	}
	job := &batchv1.Job{ObjectMeta: meta("job"), Spec: batchv1.JobSpec{Template: *template.DeepCopy()}}
	job.Spec.Template.Labels, job.Spec.Template.Spec.RestartPolicy = nil, corev1.RestartPolicyNever
	w.must(w.Create(w.Context(), job))
	w.replica(job, "of-job", template, longAgo)
	w.started(w.pod(a, "bare", "genericsecret-key", nil), longAgo)
	set := &appsv1.ReplicaSet{ObjectMeta: meta("set"), Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: template}}
	w.must(w.Create(w.Context(), set))
	w.replica(set, "of-set", template, longAgo)

	status := w.rotate(c, "not-a-secret-2")
	for workload, hint := range workloads {
		w.restarted(workload, status.Fingerprint)
		w.eventually("it is told", func() error { return w.toldOf(workload, "RestartedForCredential", hint) })
	}
	for range 3 { // their pods stay, and nothing happens
		w.quietly(a)
	}
	for workload := range workloads {
		if writes := w.patches(workload); len(writes) != 1 {
			t.Errorf("%s was patched by %q", workload.GetName(), writes)
		}
	}
	for _, part := range []string{"/jobs", "/cronjobs", "/replicasets", "/pods"} {
		if writes := w.sent.writes(part); len(writes) > 0 {
			t.Errorf("what does not roll was written: %q", writes)
		}
	}
}

// TestRestartSeveral: credentials that change together are one restart.
func TestRestartSeveral(t *testing.T) {
	w := newWorld(t).restarting()
	inner := w.configure
	w.configure = func(o *controller.Options) {
		inner(o)
		o.Restart.Settle = 2 * time.Second // for what changes "together" here
	}
	a := w.project("a", "")
	w.run()
	one, two := w.rotating("one"), w.rotating("two")
	w.spread(one, 1)
	w.spread(two, 1)
	web, _ := w.web(a, "web", "genericsecret-one", "genericsecret-two")
	w.quietly(a) // the moment for collecting has just begun
	first, second := w.rotate(one, "not-a-secret-2"), w.rotate(two, "not-a-secret-2")
	w.restarted(web, first.Fingerprint, second.Fingerprint)
	if writes := w.patches(web); len(writes) > 2 { // two if a moment ended just in between
		t.Errorf("two changes took %q", writes)
	}
	w.eventually("it is told", func() error { return w.toldOf(web, "RestartedForCredential", "two") })
}
