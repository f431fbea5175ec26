// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller"
	"github.com/credence-dev/credence/controller/cabundle"
)

// certificates are two bundles.
var certificates = [2]string{
	string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("one")})),
	string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("two")})),
}

// bundleWorld is a world in which certificates are spread by somebody who may do with
// ConfigMaps what the chart grants, and no more.
type bundleWorld struct {
	*world
	name string
}

func newBundleWorld(t *testing.T) *bundleWorld {
	t.Helper()
	w := &bundleWorld{world: newWorld(t)}
	w.name = w.prefix + "-trust"
	w.configure = func(o *controller.Options) {
		o.CABundle = cabundle.Settings{Name: w.name, Linger: 100 * time.Millisecond}
	}
	keeper := rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: w.prefix + "-keeper"}
	w.must(w.Create(w.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: keeper.Name}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"create"}},
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{w.name}, Verbs: []string{"get", "list", "watch", "patch", "delete"}},
	}}))
	w.must(w.Create(w.Context(), &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: keeper.Name}, Subjects: []rbacv1.Subject{keeper},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: keeper.Name}}))
	w.hold = func(request *http.Request) {
		if strings.Contains(request.URL.Path, "/configmaps") {
			request.Header.Set("Impersonate-User", keeper.Name)
		}
	}
	return w
}

// bundle makes the source.
func (w *bundleWorld) bundle(text string) *corev1.ConfigMap {
	w.Helper()
	c := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.layout.InstallNamespace, Name: w.name}, Data: map[string]string{cabundle.Key: text}}
	w.must(w.Create(w.Context(), c))
	return c
}

// repository makes the DataSource "<name>" for the cluster.
func (w *bundleWorld) repository(name, address string) {
	w.Helper()
	d := &v1alpha1.DataSource{ObjectMeta: metav1.ObjectMeta{Namespace: w.layout.SystemNamespace, Name: name}}
	d.Spec.Scope = clusterScope
	d.Spec.Git = &v1alpha1.GitSource{Repository: address, Path: "/code", SkipHostKeyCheck: strings.HasPrefix(address, "ssh")}
	w.must(w.Create(w.Context(), d))
}

func (w *bundleWorld) fetches(namespace, source string) *appsv1.Deployment {
	w.Helper()
	return w.asks(namespace, "fetches", v1alpha1.AnnotationDataSources, source)
}

func (w *bundleWorld) find(namespace string) *corev1.ConfigMap {
	w.Helper()
	var c corev1.ConfigMap
	if err := w.Get(w.Context(), types.NamespacedName{Namespace: namespace, Name: w.name}, &c); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		w.Fatal(err)
	}
	return &c
}

// has waits until a namespace has certificates, or nothing.
func (w *bundleWorld) has(namespace, text string) {
	w.Helper()
	w.eventually(fmt.Sprintf("%s has %d bytes", namespace, len(text)), func() error {
		switch found := w.find(namespace); {
		case found == nil && text != "":
			return errors.New("there is no ConfigMap")
		case found != nil && found.Data[cabundle.Key] != text:
			return fmt.Errorf("it has %q", found.Data)
		}
		return nil
	})
}

// states waits until that many namespaces are in a state.
func (w *bundleWorld) states(name string, want float64) {
	w.Helper()
	w.eventually(fmt.Sprintf("%v namespaces are %s", want, name), func() error {
		families, err := w.metrics.Gather()
		w.must(err)
		for _, family := range families {
			for _, metric := range family.GetMetric() {
				if family.GetName() == "credence_ca_bundles" && metric.GetLabel()[0].GetValue() == name {
					if got := metric.GetGauge().GetValue(); got != want {
						return fmt.Errorf("it is %v", got)
					}
					return nil
				}
			}
		}
		return errors.New("nothing is measured")
	})
}

// TestCABundle: the certificates are where data sources are fetched with them, and
// nowhere else, and follow the source.
func TestCABundle(t *testing.T) {
	w := newBundleWorld(t)
	w.repository("code", "https://git.example.com/a")
	w.repository("shell", "ssh://git.example.com/a")
	template := &v1alpha1.WorkloadTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: w.layout.SystemNamespace, Name: "notebook"}}
	template.Spec.Scope, template.Spec.DataSources = clusterScope, []v1alpha1.AssetName{"code"}
	w.must(w.Create(w.Context(), template))
	by, through, idle, shell := w.project("by", ""), w.project("through", ""), w.project("idle", ""), w.project("shell", "")
	source := w.bundle(certificates[0])
	w.fetches(by, "code")
	w.asks(through, "notebook", v1alpha1.AnnotationTemplate, "notebook")
	w.fetches(shell, "shell")
	w.fetches(w.namespace("outside", nil), "code")
	w.run()
	w.has(by, certificates[0])
	w.has(through, certificates[0])
	w.states("current", 2)
	found := w.find(by)
	if found.Labels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedByCredence || found.Labels[v1alpha1.LabelCABundle] == "" || len(found.Data) != 1 {
		t.Errorf("the copy is %+v", found)
	}
	w.change(source, func() { source.Data[cabundle.Key] = certificates[1] })
	w.has(by, certificates[1])
	w.has(through, certificates[1])
	// What somebody writes into it is put right, what somebody deletes comes back.
	found = w.find(by)
	w.change(found, func() { found.Data[cabundle.Key] = certificates[0] })
	w.has(by, certificates[1])
	w.must(w.Delete(w.Context(), w.find(through)))
	w.has(through, certificates[1])
	// It comes with the first who needs it, also when the data source comes later.
	late := w.fetches(idle, "later")
	w.repository("later", "https://git.example.com/b")
	w.has(idle, certificates[1])
	w.must(w.Delete(w.Context(), late))
	w.has(idle, "")
	w.states("current", 2)
	for _, namespace := range []string{shell, w.prefix + "-outside", w.layout.SystemNamespace} {
		if w.find(namespace) != nil {
			t.Errorf("%s has certificates that nobody needs", namespace)
		}
	}
}

// TestCABundleGoesLast: it stays as long as a live pod mounts it, whatever became of
// the reason, and with a namespace that is no project any more it goes too.
func TestCABundleGoesLast(t *testing.T) {
	w := newBundleWorld(t)
	w.repository("code", "https://git.example.com/a")
	w.bundle(certificates[0])
	a, b := w.project("a", ""), w.project("b", "")
	deployment := w.fetches(a, "code")
	w.fetches(b, "code")
	w.run()
	w.has(a, certificates[0])
	w.has(b, certificates[0])
	volume := corev1.Volume{Name: "ca"}
	volume.ConfigMap = &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: w.name}}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: a, Name: "running"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{container}, Volumes: []corev1.Volume{volume}}}
	w.must(w.Create(w.Context(), pod))
	pods := "/api/v1/namespaces/" + a + "/pods"
	w.sent.reset()
	w.must(w.Delete(w.Context(), deployment))
	w.eventually("the pods were asked for again and again", func() error {
		if n := w.sent.reads(pods); n < 3 {
			return fmt.Errorf("%d times", n)
		}
		return nil
	})
	w.has(a, certificates[0])
	w.must(w.Delete(w.Context(), pod, client.GracePeriodSeconds(0)))
	w.has(a, "")
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: b}}
	w.relabel(namespace, w.layout.ProjectLabel, "")
	w.has(b, "")
}

// TestCABundleForeign: what is not ours is left as it is, and told of, until it goes.
func TestCABundleForeign(t *testing.T) {
	for name, labels := range map[string]map[string]string{
		"no labels": nil,
		"one label": {v1alpha1.LabelManagedBy: v1alpha1.ManagedByCredence},
		"the other": {v1alpha1.LabelCABundle: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newBundleWorld(t)
			w.repository("code", "https://git.example.com/a")
			w.bundle(certificates[0])
			a, b := w.project("a", ""), w.project("b", "")
			foreign := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: a, Name: w.name, Labels: labels}, Data: map[string]string{"mine": "yes"}}
			w.must(w.Create(w.Context(), foreign))
			w.fetches(a, "code")
			w.run()
			w.states("taken", 1)
			w.fetches(b, "code")
			w.has(b, certificates[0])
			w.eventually("it is told", func() error {
				events := w.eventsIn(a)
				for i := range events {
					if events[i].Reason == "CABundleNameTaken" && events[i].Regarding.UID == foreign.UID {
						return nil
					}
				}
				return fmt.Errorf("%d other events", len(events))
			})
			if diff := cmp.Diff(foreign, w.find(a)); diff != "" {
				t.Errorf("it was touched (-before +after):\n%s", diff)
			}
			if writes := w.sent.writes(a + "/configmaps"); len(writes) > 0 {
				t.Errorf("it was tried to: %v", writes)
			}
			w.must(w.Delete(w.Context(), foreign))
			w.has(a, certificates[0])
			w.states("taken", 0)
		})
	}
}

// TestCABundleUnusable: without a usable source what is there stays, nothing is made,
// and a restart writes nothing either.
func TestCABundleUnusable(t *testing.T) {
	w := newBundleWorld(t)
	w.repository("code", "https://git.example.com/a")
	a, b := w.project("a", ""), w.project("b", "")
	source := w.bundle(certificates[0])
	w.fetches(a, "code")
	w.run()
	w.has(a, certificates[0])
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("not-a-key")}))
	w.change(source, func() { source.Data[cabundle.Key] += key })
	w.states("outdated", 1)
	w.must(w.Delete(w.Context(), source))
	w.fetches(b, "code")
	w.states("missing", 1)
	before := w.find(a)
	if before == nil || before.Data[cabundle.Key] != certificates[0] || w.find(b) != nil {
		t.Errorf("there are %v and %v", before, w.find(b))
	}
	w.bundle(certificates[0])
	w.has(b, certificates[0])
	w.states("current", 2)
	w.run()
	w.states("current", 2)
	if writes := w.sent.writes("/configmaps"); len(writes) > 0 {
		t.Errorf("a restart writes: %v", writes)
	}
	if diff := cmp.Diff(before, w.find(a)); diff != "" {
		t.Errorf("it was written without need (-before +after):\n%s", diff)
	}
}

// TestCABundleTerminating: a namespace that is being deleted is left alone, and keeps
// nobody else waiting.
func TestCABundleTerminating(t *testing.T) {
	w := newBundleWorld(t)
	w.repository("code", "https://git.example.com/a")
	source := w.bundle(certificates[0])
	going, late, stays := w.project("going", ""), w.project("late", ""), w.project("stays", "")
	for _, namespace := range []string{going, late, stays} {
		w.fetches(namespace, "code")
	}
	w.must(w.Delete(w.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: going}}))
	w.run()
	w.has(stays, certificates[0])
	w.has(late, certificates[0])
	w.must(w.Delete(w.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: late}}))
	w.states("current", 1)
	w.change(source, func() { source.Data[cabundle.Key] = certificates[1] })
	w.has(stays, certificates[1])
	if writes := append(w.sent.writes(going+"/configmaps"), w.sent.writes(late+"/configmaps/")...); len(writes) > 0 {
		t.Errorf("namespaces that end are written to: %v", writes)
	}
}
