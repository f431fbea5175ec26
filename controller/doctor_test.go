// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller"
	"github.com/credence-dev/credence/controller/doctor"
)

// examining has the doctor examine all the time, or, with an hour, only when it is
// called.
func (w *world) examining(every time.Duration, evict bool) *world {
	w.configure = func(options *controller.Options) {
		options.Doctor = doctor.Settings{Interval: every, Settle: 20 * time.Millisecond, Patience: time.Nanosecond, PerSecond: 1000}
		options.Repair.Evict = evict
	}
	return w
}

// found waits until so many findings of a kind are counted.
func (w *world) found(kind doctor.Kind, n float64) {
	w.Helper()
	w.eventually(fmt.Sprintf("%g findings %s are counted", n, kind), func() error {
		families, err := w.metrics.Gather()
		w.must(err)
		for _, family := range families {
			for _, metric := range family.GetMetric() {
				if family.GetName() == "credence_doctor_findings" && metric.GetLabel()[0].GetValue() == string(kind) {
					if got := metric.GetGauge().GetValue(); got != n {
						return fmt.Errorf("there are %g", got)
					}
					return nil
				}
			}
		}
		return fmt.Errorf("it is not counted yet")
	})
}

// uninjected makes a Deployment whose pod asks for the credential "key", and has nothing of it:
// there is no webhook here.
func (w *world) uninjected(namespace, name string) (*appsv1.Deployment, *corev1.Pod) {
	w.Helper()
	d := w.deployment(namespace, name, "key")
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name + "-1"},
		Spec: appsv1.ReplicaSetSpec{Selector: d.Spec.Selector, Template: d.Spec.Template}}
	set.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))}
	w.must(w.Create(w.Context(), set))
	pod := w.pod(namespace, name+"-1-x", "", func(p *corev1.Pod) {
		p.Annotations, p.Labels = d.Spec.Template.Annotations, d.Spec.Template.Labels
		p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}
	})
	w.started(pod, longAgo)
	return d, pod
}

// TestDoctor is failure mode 2: who runs without what he asked for is told of, once.
func TestDoctor(t *testing.T) {
	w := newWorld(t).examining(50*time.Millisecond, false)
	a := w.project("a", "")
	w.run()
	w.spread(w.generic("key"), 1)
	web, pod := w.uninjected(a, "web")
	w.pod(a, "in-order", "genericsecret-key", func(p *corev1.Pod) { p.Annotations = asking("key") })
	w.pod(w.namespace("outside", nil), "elsewhere", "", func(p *corev1.Pod) { p.Annotations = asking("key") })
	note := `pod web-1-x has nothing of credential "key", which its annotations name: nobody injected when it was created; a new pod would get it`
	w.eventually("it is told", func() error { return w.toldOf(web, "NotInjected", note) })
	w.found(doctor.NotInjected, 1)

	api, other := w.uninjected(a, "api")
	w.eventually("another is told", func() error { return w.toldOf(api, "NotInjected", "api-1-x") })
	w.found(doctor.NotInjected, 2)
	told := map[string]int{}
	for _, event := range w.eventsIn(a) {
		if event.Reason == "NotInjected" {
			told[event.Regarding.Kind+" "+event.Regarding.Name]++
		}
	}
	if len(told) != 2 || told["Deployment web"] != 1 || told["Deployment api"] != 1 {
		t.Errorf("told: %v", told)
	}
	w.remove(pod)
	w.remove(other)
	w.found(doctor.NotInjected, 0)
}

// TestDoctorLogin: a login that comes, or is valid at last, is news for the pods that
// wait for their images.
func TestDoctorLogin(t *testing.T) {
	w := newWorld(t).examining(time.Hour, false)
	a := w.project("a", "")
	image := func(p *corev1.Pod) { p.Spec.Containers[0].Image = "registry.example.com/app" }
	waits := w.pod(a, "waits", "", image)
	w.started(w.pod(a, "runs", "", image), longAgo)
	w.run()
	w.found(doctor.PullSecretMissing, 0)
	source := w.source(w.layout.SystemNamespace, "hub", kinds[v1alpha1.DockerRegistry], clusterScope)
	w.relabel(source, v1alpha1.LabelSourceType, "")
	c := w.credential(w.layout.SystemNamespace, "hub", v1alpha1.DockerRegistry, clusterScope)
	w.because(c, v1alpha1.ReasonSourceNotAuthorized)
	if err := w.toldOf(waits, "PullSecretMissing", ""); err == nil {
		t.Error("a login that cannot be used is missed")
	}
	w.relabel(source, v1alpha1.LabelSourceType, "docker-registry")
	w.eventually("it is told", func() error { return w.toldOf(waits, "PullSecretMissing", `registry login "hub"`) })
	w.found(doctor.PullSecretMissing, 1)
}

// TestDoctorBeforeTheIndex: an index that is not complete decides nothing.
func TestDoctorBeforeTheIndex(t *testing.T) {
	w := newWorld(t).examining(20*time.Millisecond, true)
	w.late = &atomic.Bool{}
	a := w.project("a", "")
	web, _ := w.uninjected(a, "web")
	w.run()
	c := w.generic("key")
	w.spread(c, 1)
	w.settle(c)
	if events := w.eventsIn(a); len(events) > 0 {
		t.Errorf("told: %+v", events)
	}
	w.late.Store(true)
	w.eventually("it is told", func() error { return w.toldOf(web, "NotInjected", "web-1-x") })
}

// TestDoctorSpares: where a new pod would not be injected either, none is replaced.
func TestDoctorSpares(t *testing.T) {
	w := newWorld(t).examining(20*time.Millisecond, true)
	a := w.project("a", "")
	w.run()
	w.spread(w.generic("key"), 1)
	web, pod := w.uninjected(a, "web")
	w.eventually("it is told", func() error { return w.toldOf(web, "NotReplaced", "a new pod was not injected either") })
	w.must(w.Get(w.Context(), client.ObjectKeyFromObject(pod), pod))
	if pod.DeletionTimestamp != nil {
		t.Error("the pod is going")
	}
	var pods corev1.PodList
	w.must(w.List(w.Context(), &pods, client.InNamespace(a)))
	if len(pods.Items) != 1 {
		t.Errorf("%d pods: what was made for show is there", len(pods.Items))
	}
}

// TestWarningsAreTold: what was said when pods were injected is told once at the
// workload, and not what was said before the process began.
func TestWarningsAreTold(t *testing.T) {
	w := newWorld(t).examining(time.Hour, false)
	a := w.project("a", "")
	warned := func(name string, says string) *appsv1.StatefulSet {
		s := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: a, Name: name},
			Spec: appsv1.StatefulSetSpec{Selector: selector, Template: reading()}}
		w.must(w.Create(w.Context(), s))
		for _, pod := range []string{name + "-0", name + "-1"} {
			w.pod(a, pod, "", func(p *corev1.Pod) {
				p.Annotations = map[string]string{v1alpha1.AnnotationWarnings: says}
				p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(s, appsv1.SchemeGroupVersion.WithKind("StatefulSet"))}
			})
		}
		return s
	}
	warned("old", `["said long ago"]`)
	w.run()
	w.found(doctor.NotInjected, 0)
	db := warned("db", `["one thing", "another"]`)
	w.eventually("it is told", func() error { return w.toldOf(db, "InjectionWarning", "one thing; another") })
	if events := w.eventsIn(a); len(events) != 1 {
		t.Errorf("told: %+v", events)
	}
}
