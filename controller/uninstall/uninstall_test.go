// SPDX-License-Identifier: Apache-2.0

package uninstall_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/apitest"
	"github.com/credence-dev/credence/controller/uninstall"
)

// many are more Credentials than one page has.
const many = 620

// TestOrder: what refuses goes first, then the processes, and only then the finalizers,
// of all Credentials; those of others stay.
func TestOrder(t *testing.T) {
	w := newWorld(t, apiServer.Config(t))
	first := w.credential("first", "example.com/one", v1alpha1.Finalizer, "example.com/two")
	w.create(first)
	for i := range many {
		w.create(w.credential(fmt.Sprintf("c%03d", i), v1alpha1.Finalizer))
	}
	going := w.credential("going", v1alpha1.Finalizer)
	w.create(going)
	w.must(w.Delete(w.Context(), going))
	controller, pod := w.deployment("controller")
	job := pod.DeepCopy()
	job.ObjectMeta = metav1.ObjectMeta{Namespace: w.install, Name: "self", Labels: map[string]string{
		"app.kubernetes.io/part-of": "credence", "app.kubernetes.io/component": "uninstall"}}
	w.create(job)
	lease := w.leads("somewhere", 3600)
	of := append(refusing("credence", ourLabels()), refusing("credence-more", ourLabels())...)
	w.create(of...)

	ended := w.start()
	w.eventually("nothing of ours refuses anything", func() error {
		for _, object := range of {
			if w.there(object.DeepCopyObject().(client.Object)) {
				return fmt.Errorf("%T %s is there", object, object.GetName())
			}
		}
		return nil
	})
	w.eventually("the controller is to end", func() error {
		w.must(w.Get(w.Context(), client.ObjectKeyFromObject(controller), controller))
		if *controller.Spec.Replicas != 0 {
			return errors.New("it is not")
		}
		return nil
	})
	// As Kubernetes does, one after the other; until all is done nothing else happens.
	for _, step := range []func(){
		func() {
			controller.Status = appsv1.DeploymentStatus{ObservedGeneration: controller.Generation}
			w.must(w.Status().Update(w.Context(), controller))
		},
		func() { w.must(w.Delete(w.Context(), pod, client.GracePeriodSeconds(0))) },
		func() { w.patch(lease, `{"spec":{"holderIdentity":""}}`) },
	} {
		if left := w.finalizers(first); len(left) != 3 {
			t.Fatalf("with the controller still there the finalizers are %v", left)
		}
		step()
	}
	if err := <-ended; err != nil {
		t.Fatalf("%v; it said:\n%s", err, w.said)
	}
	if diff := cmp.Diff([]string{"example.com/one", "example.com/two"}, w.finalizers(first)); diff != "" {
		t.Errorf("finalizers (-want +got):\n%s", diff)
	}
	before := w.versions()
	if len(before) != many+1 {
		t.Errorf("%d Credentials are left, want all but the one that was being deleted", len(before))
	}
	for _, line := range []string{
		"Deleted ValidatingAdmissionPolicy credence-more.", "Scaled Deployment " + w.install + "/credence-controller to 0.",
		"controller somewhere holds Lease", "being deleted: 1", "so do the copies",
	} {
		if !strings.Contains(w.said.String(), line) {
			t.Errorf("it does not say %q:\n%s", line, w.said)
		}
	}
	w.run() // once more, with nothing to do
	if got := strings.Count(w.said.String(), "\n"); got != 1 {
		t.Errorf("with nothing to do it says:\n%s", w.said)
	}
	if diff := cmp.Diff(before, w.versions()); diff != "" {
		t.Errorf("with nothing to do it wrote Credentials (-before +after):\n%s", diff)
	}
}

// versions are those of the Credentials, of which all but the first have no finalizers.
func (w *world) versions() map[string]string {
	w.Helper()
	var all v1alpha1.CredentialList
	w.must(w.List(w.Context(), &all, client.InNamespace(w.project)))
	versions := map[string]string{}
	for i := range all.Items {
		c := &all.Items[i]
		versions[c.Name] = c.ResourceVersion
		if c.Name != "first" && len(c.Finalizers) > 0 {
			w.Errorf("%s has finalizers %v", c.Name, c.Finalizers)
		}
	}
	return versions
}

// TestOthers: what is not labelled or not called as ours is somebody's own.
func TestOthers(t *testing.T) {
	w := newWorld(t, apiServer.Config(t))
	foreign := append(refusing("another", ourLabels()), refusing("credence-of-somebody", nil)...)
	w.create(foreign...)
	w.run()
	for _, object := range foreign {
		if !w.there(object) {
			t.Errorf("%T %s is gone", object, object.GetName())
		}
	}
}

// TestEmptyCluster: there may be nothing of Credence, not even its resources.
func TestEmptyCluster(t *testing.T) {
	w := newWorld(t, apitest.Start(t, nil))
	for _, copies := range []uninstall.Copies{uninstall.KeepCopies, uninstall.ReleaseCopies, uninstall.DeleteCopies} {
		w.options.Copies = copies
		w.run()
	}
}

// TestElsewhere: whoever names the wrong namespace is told, before anything is done.
func TestElsewhere(t *testing.T) {
	w := newWorld(t, apiServer.Config(t))
	of := refusing("credence", ourLabels())
	w.create(of...)
	w.patch(of[1], `{"webhooks":[{"name":"a.example.com","clientConfig":{"service":{"namespace":"elsewhere","name":"credence"}},
		"sideEffects":"None","admissionReviewVersions":["v1"]}]}`)
	if err := uninstall.Run(t.Context(), w.options); err == nil || !strings.Contains(err.Error(), "--install-namespace=elsewhere") {
		t.Errorf("the error is %v", err)
	}
	for _, object := range of {
		if !w.there(object) {
			t.Errorf("%T is gone", object)
		}
	}
}

// TestLeaderElsewhere: a controller outside the cluster is not stopped, so nothing is
// done that it would undo; one that ended without a word is waited for only as long
// as others would.
func TestLeaderElsewhere(t *testing.T) {
	w := newWorld(t, apiServer.Config(t))
	c := w.credential("held", v1alpha1.Finalizer)
	w.create(c)
	lease := w.leads("laptop", 3600)
	w.options.Timeout = brief
	if err := uninstall.Run(t.Context(), w.options); err == nil || !strings.Contains(err.Error(), "laptop") {
		t.Errorf("the error is %v", err)
	}
	if left := w.finalizers(c); len(left) != 1 {
		t.Errorf("the finalizers are %v", left)
	}
	w.patch(lease, `{"spec":{"leaseDurationSeconds":1}}`)
	w.options.Timeout = patience
	w.run()
	if left := w.finalizers(c); len(left) != 0 {
		t.Errorf("the finalizers are %v", left)
	}
}

// TestPods: finished pods and those of a node that is gone are not waited for, others
// are.
func TestPods(t *testing.T) {
	w := newWorld(t, apiServer.Config(t))
	deployment, running := w.deployment("webhook")
	evicted, lost := running.DeepCopy(), running.DeepCopy()
	evicted.ObjectMeta = metav1.ObjectMeta{Namespace: w.install, Name: "evicted", Labels: running.Labels}
	lost.ObjectMeta = metav1.ObjectMeta{Namespace: w.install, Name: "lost", Labels: running.Labels, Finalizers: []string{"example.com/node"}}
	w.create(evicted, lost)
	evicted.Status.Phase = corev1.PodFailed
	w.must(w.Status().Update(t.Context(), evicted))
	w.must(w.Delete(t.Context(), lost))

	w.patch(deployment, `{"spec":{"replicas":0}}`)
	deployment.Status = appsv1.DeploymentStatus{ObservedGeneration: deployment.Generation}
	w.must(w.Status().Update(t.Context(), deployment))
	w.options.Timeout = brief
	err := uninstall.Run(t.Context(), w.options)
	if err == nil || !strings.Contains(err.Error(), "/webhook still runs") || !strings.Contains(err.Error(), "/lost still runs") || strings.Contains(err.Error(), "evicted") {
		t.Errorf("the error is %v", err)
	}
	w.must(w.Delete(t.Context(), running, client.GracePeriodSeconds(0)))
	w.options.Timeout, w.options.Clock = patience, clocktesting.NewFakePassiveClock(time.Now().Add(time.Hour))
	w.run()
	if !strings.Contains(w.said.String(), "lost should have ended long ago") {
		t.Errorf("it says:\n%s", w.said)
	}
}
