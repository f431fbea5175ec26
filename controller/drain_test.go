// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller"
)

// finish says that a pod ran to its end, as its kubelet would.
func (w *world) finish(pod *corev1.Pod) {
	w.Helper()
	pod.Status.Phase = corev1.PodSucceeded
	w.must(w.Status().Update(w.Context(), pod))
}

// waits polls until a Credential that is being deleted says in which namespaces it is
// used, or drains.
func (w *world) waits(c *v1alpha1.Credential, reason string, in ...string) v1alpha1.CredentialStatus {
	w.Helper()
	return w.status(c, "waiting", func(s v1alpha1.CredentialStatus) bool {
		if s.State != v1alpha1.StateDeleting || ready(s).Reason != v1alpha1.ReasonTerminating || int(s.IssuesTotal) != len(in) {
			return false
		}
		for i, issue := range s.Issues {
			if issue.Reason != reason || issue.Namespace != in[i] {
				return false
			}
		}
		return true
	})
}

// staysAs looks a few times whether a copy is there as it was.
func (w *world) staysAs(before *corev1.Secret, passes func()) {
	w.Helper()
	for range 3 {
		passes()
		if now := w.secret(before.Namespace, before.Name); now == nil || now.UID != before.UID {
			w.Fatalf("the copy in %s is gone, or another", before.Namespace)
		}
	}
}

// TestDeleteWaitsForUsers: no copy goes while a pod lives that refers to it, and the
// status says which.
func TestDeleteWaitsForUsers(t *testing.T) {
	w := newWorld(t)
	a, b := w.project("a", ""), w.project("b", "")
	w.run()
	c, other := w.generic("key"), w.generic("other")
	w.spread(c, 2)
	w.spread(other, 2)
	direct := w.pod(a, "direct", "genericsecret-key", nil)
	volume := w.pod(a, "volume", "", func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "genericsecret-key"}}}}}}}}
	})
	w.usedBy(c, "Pod "+a+"/direct", "Pod "+a+"/volume")
	before := w.secret(a, "genericsecret-key")
	w.must(w.Delete(w.Context(), c))
	status := w.waits(c, v1alpha1.IssueInUse, a)
	for _, said := range []string{status.Issues[0].Message, ready(status).Message} {
		if !strings.Contains(said, "still used by Pod "+a+"/direct, Pod "+a+"/volume") {
			t.Errorf("it says: %s", said)
		}
	}
	w.noKeyIn(b)
	w.eventually("it is told", func() error { return w.says(c, "Warning InUse: the credential is being deleted", "Pod "+a+"/direct") })

	w.sent.reset()
	w.staysAs(before, func() { w.settle(other) })
	if writes := w.sent.writes("/credentials/key/status"); len(writes) > 0 {
		t.Errorf("while it waits it wrote %v", writes)
	}
	if lists := w.sent.reads("/api/v1/namespaces/" + a + "/pods"); lists > 0 {
		t.Errorf("of a namespace where the index shows users, the pods were listed %d times", lists)
	}
	w.finish(direct)
	w.status(c, "waiting for one", func(s v1alpha1.CredentialStatus) bool { return !strings.Contains(ready(s).Message, "direct") })
	w.staysAs(before, func() { w.settle(other) })
	w.remove(volume)
	w.gone(c)
	w.count("key", 0)
	if lists := w.sent.reads("/api/v1/namespaces/" + a + "/pods"); lists < 3 {
		t.Errorf("the pods were listed %d times: twice before the deletion, and once after", lists)
	}
}

// noKeyIn waits until a namespace has no copy of the credential key.
func (w *world) noKeyIn(namespace string) {
	w.Helper()
	w.eventually("the copy is gone", func() error {
		if w.secret(namespace, "genericsecret-key") != nil {
			return fmt.Errorf("there is one in %s", namespace)
		}
		return nil
	})
}

// TestDeleteDrains: what nobody uses stays until the drain is over.
func TestDeleteDrains(t *testing.T) {
	w := newWorld(t)
	a, b := w.project("a", ""), w.project("b", "")
	w.configure = func(o *controller.Options) { o.Drain = time.Hour }
	w.run()
	c, other := w.generic("key"), w.generic("other")
	w.spread(c, 2)
	before := w.secret(a, "genericsecret-key")
	w.must(w.Delete(w.Context(), c))
	status := w.waits(c, v1alpha1.IssueDraining, a, b)
	if said := ready(status).Message; !strings.Contains(said, "it waits in 2 namespaces: nothing uses it any more; it goes after ") {
		t.Errorf("it says: %s", said)
	}
	w.staysAs(before, func() { w.settle(other) })
	w.must(w.Get(w.Context(), client.ObjectKeyFromObject(c), c))
	w.configure = nil
	w.run() // a new leader begins anew, and this one has less patience
	w.gone(c)
	w.count("key", 0)
}

// TestDeleteBeforeTheIndex: half an index looks like a credential that nobody uses.
func TestDeleteBeforeTheIndex(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	c, other := w.generic("key"), w.generic("other")
	w.spread(c, 1)
	w.spread(other, 1)
	w.late = &atomic.Bool{}
	w.run()
	before := w.secret(a, "genericsecret-key")
	w.must(w.Delete(w.Context(), c))
	w.waits(c, v1alpha1.IssueDraining, a)
	w.staysAs(before, func() { w.settle(other) })
	w.late.Store(true)
	w.gone(c)
}

// TestWorkloadsHold: a workload between two pods of its own uses the credential like
// any other. A template has no pods.
func TestWorkloadsHold(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	c := w.generic("key")
	w.spread(c, 1)
	web := w.deployment(a, "web", "key")
	w.must(w.Create(w.Context(), &corev1.PodTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: a, Name: "web"}, Template: web.Spec.Template}))
	w.usedBy(c, "Deployment "+a+"/web", "PodTemplate "+a+"/web")
	w.must(w.Delete(w.Context(), c))
	status := w.waits(c, v1alpha1.IssueInUse, a)
	if said := status.Issues[0].Message; !strings.HasSuffix(said, "still used by Deployment "+a+"/web") {
		t.Errorf("it says: %s", said)
	}
	w.remove(web)
	w.gone(c)
	w.count("key", 0)
}

// TestAtOnce: the exceptions, all of them told of.
func TestAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		act  func(w *world, c *v1alpha1.Credential, namespace string)
		told string
	}{
		"force-delete": {func(w *world, c *v1alpha1.Credential, _ string) {
			w.change(c, func() { c.Annotations = map[string]string{v1alpha1.AnnotationForceDelete: "true"} })
		}, "the credential is being deleted by force"},
		"the source is not authorized any more": {func(w *world, _ *v1alpha1.Credential, _ string) {
			w.relabel(w.secret(w.layout.SystemNamespace, "key"), v1alpha1.LabelSourceClusterWide, "")
		}, v1alpha1.LabelSourceClusterWide},
		"the namespace left the scope": {func(w *world, _ *v1alpha1.Credential, namespace string) {
			w.relabel(w.namespaceNamed(namespace), w.layout.ProjectLabel, "")
		}, "no project any more"},
		"the namespace is being deleted": {func(w *world, _ *v1alpha1.Credential, namespace string) {
			w.must(w.Delete(w.Context(), w.namespaceNamed(namespace)))
		}, "the namespace is being deleted"},
	} {
		for _, deleted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, deleted %t", name, deleted), func(t *testing.T) {
				w := newWorld(t)
				a := w.project("a", "")
				w.configure = func(o *controller.Options) { o.Drain = time.Hour }
				w.run()
				c := w.generic("key")
				w.spread(c, 1)
				w.pod(a, "uses", "genericsecret-key", nil)
				w.usedBy(c, "Pod "+a+"/uses")
				if deleted {
					w.must(w.Delete(w.Context(), c))
					w.waits(c, v1alpha1.IssueInUse, a)
				}
				test.act(w, c, a)
				if name == "force-delete" && !deleted {
					w.must(w.Delete(w.Context(), c))
				}
				if name == "the namespace is being deleted" && !deleted {
					w.spread(c, 0) // and its copy is left to the namespace
					return
				}
				w.noCopies(a)
				w.eventually("it is told", func() error { return w.says(c, "Withdrawn: withdrew the copy from "+a+": ", test.told) })
				if deleted {
					w.gone(c)
				}
			})
		}
	}
}

// TestOnDemandDrains: a copy that nobody uses any more is there until it goes.
func TestOnDemandDrains(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.configure = func(o *controller.Options) { o.Drain = time.Hour }
	w.run()
	c := w.onDemand("key")
	uses := w.pod(a, "uses", "genericsecret-key", nil)
	w.spread(c, 1)
	before := w.secret(a, "genericsecret-key")
	w.remove(uses)
	w.status(c, "used by nobody", func(s v1alpha1.CredentialStatus) bool { return s.UsedBy.Total == 0 })
	w.staysAs(before, func() { w.settle(c) })
	w.spread(c, 1)
	again := w.pod(a, "again", "genericsecret-key", nil)
	w.usedBy(c, "Pod "+a+"/again")
	w.staysAs(before, func() { w.settle(c) })
	w.remove(again)
	w.status(c, "used by nobody", func(s v1alpha1.CredentialStatus) bool { return s.UsedBy.Total == 0 })
	w.configure = nil
	w.run()
	w.spread(c, 0)
	w.noCopies(a)
}

// TestStraysWaitForUsers: a copy whose credential is gone goes like any other.
func TestStraysWaitForUsers(t *testing.T) {
	w := newWorld(t)
	a, b := w.project("a", ""), w.project("b", "")
	w.run()
	c, other := w.generic("key"), w.generic("other")
	w.spread(c, 2)
	w.spread(other, 2)
	uses := w.pod(a, "uses", "genericsecret-key", nil)
	w.usedBy(c, "Pod "+a+"/uses")
	before := w.secret(a, "genericsecret-key")
	w.vanish(c)
	w.noKeyIn(b)
	w.staysAs(before, func() { w.settle(other) })
	w.remove(uses)
	w.noKeyIn(a)
}

// TestNextLeaderGivesBack: a process ended between the deletion of a copy and the list of
// pods behind it, and a pod that reads the Secret was stored in that moment. The next one
// remembers nothing, and lets the credential go only when it knows who needs it.
func TestNextLeaderGivesBack(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	c := w.generic("key")
	w.spread(c, 1)
	w.stop()
	w.must(w.Delete(w.Context(), c))
	w.remove(w.secret(a, "genericsecret-key"))
	pod := w.pod(a, "late", "genericsecret-key", nil)
	w.late = &atomic.Bool{}
	w.run()
	w.because(c, v1alpha1.ReasonTerminating)
	w.late.Store(true)
	w.eventually("the copy is there again", func() error {
		if w.secret(a, "genericsecret-key") == nil {
			return errors.New("there is none")
		}
		return nil
	})
	w.remove(pod)
	w.gone(c)
}
