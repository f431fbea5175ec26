// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller"
)

func inUse(s v1alpha1.CredentialStatus) metav1.Condition {
	if condition := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionInUse); condition != nil {
		return *condition
	}
	return metav1.Condition{}
}

// usedBy waits until a credential is used by these, and only them.
func (w *world) usedBy(c *v1alpha1.Credential, names ...string) v1alpha1.CredentialStatus {
	w.Helper()
	return w.status(c, fmt.Sprintf("used by %v", names), func(s v1alpha1.CredentialStatus) bool {
		is := inUse(s)
		known := is.Status == metav1.ConditionTrue && is.Reason == v1alpha1.ReasonUsed
		if len(names) == 0 {
			known = is.Status == metav1.ConditionFalse && is.Reason == v1alpha1.ReasonNotUsed
		}
		return known && slices.Equal(s.UsedBy.Names, names) && s.UsedBy.Total == int32(len(names))
	})
}

func TestUsedBy(t *testing.T) {
	w := newWorld(t)
	home := w.namespace("home", map[string]string{v1alpha1.LabelDepartmentHome: "research"})
	a, b := w.project("a", ""), w.project("b", "research")
	other := w.namespace("other", nil)
	w.run()
	wide := w.generic("key")
	w.usedBy(wide)

	// Who names it, who refers to the Secret itself, and what is no workload; but not
	// what is outside of projects.
	web := w.deployment(a, "web", "key")
	direct := w.pod(b, "direct", "genericsecret-key", nil)
	template := &corev1.PodTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: a, Name: "kit"}, Template: corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: asking("key")}, Spec: corev1.PodSpec{Containers: []corev1.Container{container}}}}
	w.must(w.Create(w.Context(), template))
	w.deployment(other, "elsewhere", "key")
	status := w.usedBy(wide, "Deployment "+a+"/web", "Pod "+b+"/direct", "PodTemplate "+a+"/kit")
	if status.UsedBy.Workloads != 2 || status.UsedBy.Templates != 1 {
		t.Errorf("used by %+v", status.UsedBy)
	}
	if message := inUse(status).Message; message != "used by 2 workloads and 1 template; usedBy names them" {
		t.Errorf("InUse says: %s", message)
	}

	// In a department with a credential of its own the name means that.
	w.source(home, "key", kinds[v1alpha1.Generic], researchScope)
	narrow := w.credential(home, "key", v1alpha1.Generic, researchScope)
	w.usedBy(narrow, "Pod "+b+"/direct")
	w.usedBy(wide, "Deployment "+a+"/web", "PodTemplate "+a+"/kit")

	// A namespace that becomes a project brings its workloads.
	w.relabel(w.namespaceNamed(other), w.layout.ProjectLabel, "other")
	w.usedBy(wide, "Deployment "+a+"/web", "Deployment "+other+"/elsewhere", "PodTemplate "+a+"/kit")
	w.relabel(w.namespaceNamed(other), w.layout.ProjectLabel, "")

	w.remove(web)
	w.usedBy(wide, "PodTemplate "+a+"/kit")
	w.remove(template)
	w.usedBy(wide)
	w.remove(direct)
	w.usedBy(narrow)
}

// TestUsedByInAProject: pods use the source itself, by its own name.
func TestUsedByInAProject(t *testing.T) {
	w := newWorld(t)
	a, b := w.project("a", ""), w.project("b", "")
	w.run()
	w.source(a, "mine", kinds[v1alpha1.Generic], projectScope)
	c := w.credential(a, "mine", v1alpha1.Generic, projectScope)
	w.usedBy(c)
	w.pod(a, "direct", "mine", nil)
	w.pod(b, "elsewhere", "mine", nil)
	w.deployment(a, "web", "mine")
	w.usedBy(c, "Deployment "+a+"/web", "Pod "+a+"/direct")
}

// TestAutomaticUse: a pull secret that nobody asked for is told of apart.
func TestAutomaticUse(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	w.source(w.layout.SystemNamespace, "hub", kinds[v1alpha1.DockerRegistry], clusterScope)
	c := w.credential(w.layout.SystemNamespace, "hub", v1alpha1.DockerRegistry, clusterScope)
	w.usedBy(c)
	pod := w.pod(a, "shop", "", func(p *corev1.Pod) {
		p.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "dockerregistry-hub"}}
		p.Annotations = map[string]string{v1alpha1.AnnotationInjected: `{"hub":["imagePullSecrets (automatic)"]}`}
	})
	status := w.status(c, "used automatically", func(s v1alpha1.CredentialStatus) bool { return s.UsedBy.Automatic == 1 })
	if is := inUse(status); status.UsedBy.Total != 0 || is.Status != metav1.ConditionFalse || !strings.Contains(is.Message, "automatic pull secret") {
		t.Errorf("the status is %+v", status)
	}
	w.deployment(a, "web", "hub")
	w.usedBy(c, "Deployment "+a+"/web")
	w.remove(pod)
	w.status(c, "used by name only", func(s v1alpha1.CredentialStatus) bool { return s.UsedBy.Automatic == 0 && s.UsedBy.Total == 1 })
}

// quiet waits until the controllers have done all that they had to, and forgets
// what they sent.
func (w *world) quiet(c *v1alpha1.Credential) {
	w.Helper()
	for range 3 { // one may be under way, and one more may come of it
		w.settle(c)
	}
	w.sent.reset()
}

// TestUsersCostOneWrite: who uses a credential is one write of its status, without
// a look at its source or at its copies, and whoever else writes that status.
func TestUsersCostOneWrite(t *testing.T) {
	w := newWorld(t)
	w.configure = func(o *controller.Options) { o.UsageInterval, o.UsageLag = 0, 0 } // as they are by default
	a := w.project("a", "")
	w.run()
	c := w.generic("key")
	w.spread(c, 1)
	w.usedBy(c)
	path := "/apis/credence.dev/v1alpha1/namespaces/" + c.Namespace + "/credentials/key"
	if writes := w.sent.writes(path); len(writes) != 2 {
		t.Errorf("a new credential took %d writes, not the finalizer and the status: %v", len(writes), writes)
	}
	source := fmt.Sprintf("/api/v1/namespaces/%s/secrets/key", c.Namespace)

	w.quiet(c)
	web := w.deployment(a, "web", "key")
	w.usedBy(c, "Deployment "+a+"/web")
	for i := range 5 { // its pods change nothing
		w.pod(a, fmt.Sprintf("web-%d", i), "genericsecret-key", func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(web, web.GroupVersionKind())}
			p.OwnerReferences[0].APIVersion, p.OwnerReferences[0].Kind = "apps/v1", "Deployment"
		})
	}
	w.deployment(a, "more", "key")
	w.usedBy(c, "Deployment "+a+"/more", "Deployment "+a+"/web")
	if writes := w.sent.writes(""); len(writes) != 2 {
		t.Errorf("two changes of its users took %v", writes)
	}
	if reads := w.sent.reads(source); reads > 0 {
		t.Errorf("its source was read %d times", reads)
	}

	t.Run("a rotation", func(t *testing.T) {
		w.quiet(c)
		object := w.secret(c.Namespace, "key")
		w.change(object, func() { object.Data["api-key"] = []byte("not-a-secret-2") })
		w.status(c, "rotated", func(s v1alpha1.CredentialStatus) bool { return s.RotatedAt != nil })
		w.settle(c)
		if writes := w.sent.writes(path); len(writes) != 1 {
			t.Errorf("it took %v", writes)
		}
	})
	t.Run("a namespace that leaves", func(t *testing.T) {
		w.quiet(c)
		w.relabel(w.namespaceNamed(a), w.layout.ProjectLabel, "")
		w.usedBy(c)
		w.settle(c)
		if writes := w.sent.writes(path); len(writes) != 1 {
			t.Errorf("it took %v", writes)
		}
	})
	t.Run("a restart", func(t *testing.T) {
		w.run()
		w.settle(c)
		w.settle(c)
		if writes := w.sent.writes(""); len(writes) > 0 {
			t.Errorf("it wrote %v", writes)
		}
	})
}

// TestUsageUnknown: an index that is not complete decides nothing, and what was
// known before it began stays.
func TestUsageUnknown(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.late = &atomic.Bool{}
	w.run()
	c := w.generic("key")
	if is := inUse(w.spread(c, 1)); is.Status != metav1.ConditionUnknown || is.Reason != v1alpha1.ReasonUsageUnknown {
		t.Errorf("InUse is %+v", is)
	}
	w.deployment(a, "web", "key")
	w.late.Store(true)
	before := w.usedBy(c, "Deployment "+a+"/web")

	w.late = &atomic.Bool{} // as at a restart
	w.run()
	w.settle(c)
	w.settle(c)
	if writes := w.sent.writes(""); len(writes) > 0 {
		t.Errorf("before anything was known it wrote %v", writes)
	}
	if diff := cmp.Diff(before, w.spread(c, 1)); diff != "" {
		t.Errorf("status (-before +after):\n%s", diff)
	}
	w.late.Store(true)
	w.deployment(a, "more", "key")
	w.usedBy(c, "Deployment "+a+"/more", "Deployment "+a+"/web")
}
