// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller"
)

// onDemand makes a generic credential for the cluster that is spread on demand.
func (w *world) onDemand(name string) *v1alpha1.Credential {
	w.Helper()
	w.source(w.layout.SystemNamespace, name, kinds[v1alpha1.Generic], clusterScope)
	c := &v1alpha1.Credential{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.layout.SystemNamespace, Name: name},
		Spec: v1alpha1.CredentialSpec{Type: v1alpha1.Generic, Scope: clusterScope,
			SecretRef: v1alpha1.SecretReference{Name: name}, Propagation: v1alpha1.PropagateOnDemand},
	}
	w.must(w.Create(w.Context(), c))
	return c
}

// TestOnDemand: copies come and go with what uses the credential, and a pod that
// waits for its copy counts from the moment when it exists.
func TestOnDemand(t *testing.T) {
	w := newWorld(t)
	a, b := w.project("a", ""), w.project("b", "")
	w.run()
	c := w.onDemand("key")
	status := w.spread(c, 0)
	if message := ready(status).Message; !strings.Contains(message, "no namespace in scope is known to use") {
		t.Errorf("Ready says: %s", message)
	}

	waits := w.pod(a, "waits", "genericsecret-key", nil)
	web := w.deployment(a, "web", "key")
	status = w.spread(c, 1)
	if w.secret(a, "genericsecret-key") == nil || len(w.copiesIn(b)) > 0 {
		t.Errorf("copies in a: %v, in b: %v", w.copiesIn(a), w.copiesIn(b))
	}
	if status.PendingNamespaces != nil || !strings.Contains(ready(status).Message, "on demand") {
		t.Errorf("the status is %+v", status)
	}

	w.remove(waits) // one of two
	w.usedBy(c, "Deployment "+a+"/web")
	w.spread(c, 1)
	w.remove(web)
	w.spread(c, 0)
	w.noCopies(a)
	w.eventually("it is told why", func() error {
		return w.says(c, "Normal Withdrawn: withdrew the copy from "+a+": nothing there uses the credential any more")
	})

	// Of a namespace that leaves the scope, the users do not count.
	w.deployment(b, "web", "key")
	w.spread(c, 1)
	w.relabel(w.namespaceNamed(b), w.layout.ProjectLabel, "")
	w.spread(c, 0)
	w.noCopies(b)

	w.must(w.Delete(w.Context(), c))
	w.gone(c)
}

// TestOnDemandAutomatic: pull secrets that nobody asked for are needed all the same.
func TestOnDemandAutomatic(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.project("b", "")
	w.run()
	w.source(w.layout.SystemNamespace, "hub", kinds[v1alpha1.DockerRegistry], clusterScope)
	c := w.credential(w.layout.SystemNamespace, "hub", v1alpha1.DockerRegistry, clusterScope)
	w.change(c, func() { c.Spec.Propagation = v1alpha1.PropagateOnDemand })
	w.spread(c, 0)
	w.pod(a, "shop", "", func(p *corev1.Pod) {
		p.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "dockerregistry-hub"}}
		p.Annotations = map[string]string{v1alpha1.AnnotationInjected: `{"hub":["imagePullSecrets (automatic)"]}`}
	})
	w.spread(c, 1)
	if w.secret(a, "dockerregistry-hub") == nil {
		t.Error("there is no copy")
	}
}

// TestOnDemandCostsOneWrite: that a namespace begins to use a credential, and has its
// copy, is one write.
func TestOnDemandCostsOneWrite(t *testing.T) {
	w := newWorld(t)
	w.configure = func(o *controller.Options) { o.UsageInterval = time.Nanosecond } // it is counted at once
	a := w.project("a", "")
	w.run()
	c := w.onDemand("key")
	w.spread(c, 0)
	for i := range 5 {
		w.quiet(c)
		name := fmt.Sprint("web", i)
		pod := w.pod(a, name, "genericsecret-key", nil)
		w.spread(c, 1)
		w.usedBy(c, "Pod "+a+"/"+name)
		w.settle(c)
		if writes := w.sent.writes("/credentials/key"); len(writes) != 1 {
			t.Errorf("it took %v", writes)
		}
		w.remove(pod)
		w.spread(c, 0)
		w.usedBy(c)
	}
}

func TestPropagationChanges(t *testing.T) {
	w := newWorld(t)
	a, b := w.project("a", ""), w.project("b", "")
	w.run()
	c := w.generic("key")
	w.deployment(a, "web", "key")
	w.spread(c, 2)
	w.change(c, func() { c.Spec.Propagation = v1alpha1.PropagateOnDemand })
	w.spread(c, 1)
	w.noCopies(b)
	w.change(c, func() { c.Spec.Propagation = v1alpha1.PropagateAlways })
	w.spread(c, 2)
	if w.secret(a, "genericsecret-key") == nil || w.secret(b, "genericsecret-key") == nil {
		t.Error("a copy is missing")
	}
}

// TestPropagationCostsOneWrite: that copies are made on demand no longer is one write,
// together with all of them, and nothing more is written after that. Only copies that
// take longer than workloads are to wait for a status are told of once more.
func TestPropagationCostsOneWrite(t *testing.T) {
	w := newWorld(t)
	w.configure = func(o *controller.Options) { o.UsageInterval = time.Nanosecond } // it is counted at once
	var early atomic.Int32
	w.hold = func(request *http.Request) {
		if request.Method == http.MethodPut && strings.HasSuffix(request.URL.Path, "/credentials/key/status") && saysPropagating(request) {
			early.Add(1)
		}
	}
	a := w.project("a", "")
	w.project("b", "")
	w.project("c", "")
	w.run()
	c := w.onDemand("key")
	w.deployment(a, "web", "key")
	together := 0
	for range 5 {
		w.spread(c, 1)
		w.usedBy(c, "Deployment "+a+"/web")
		w.quiet(c)
		early.Store(0)
		w.change(c, func() { c.Spec.Propagation = v1alpha1.PropagateAlways })
		w.spread(c, 3)
		for range 3 {
			w.settle(c)
		}
		if writes := w.sent.writes("/credentials/key"); len(writes) != 1+int(early.Load()) {
			t.Errorf("it took %v, of which %d told of copies still to come", writes, early.Load())
		} else if len(writes) == 1 {
			together++
		}
		w.change(c, func() { c.Spec.Propagation = v1alpha1.PropagateOnDemand })
	}
	if together == 0 {
		t.Error("the status was never written together with the copies")
	}
}

// saysPropagating says whether a write of a status tells of copies still to come.
func saysPropagating(request *http.Request) bool {
	body, err := request.GetBody()
	if err != nil {
		return false
	}
	text, _ := io.ReadAll(body)
	return strings.Contains(string(text), `"`+v1alpha1.ReasonPropagating+`"`)
}

// TestOnDemandBeforeTheIndex: half an index looks like a credential that nobody
// uses. Until it is complete, copies stay, follow their source, and none is made.
func TestOnDemandBeforeTheIndex(t *testing.T) {
	w := newWorld(t)
	a, b := w.project("a", ""), w.project("b", "")
	w.run()
	c := w.onDemand("key")
	w.deployment(a, "web", "key")
	before := w.spread(c, 1)
	w.usedBy(c, "Deployment "+a+"/web")

	w.late = &atomic.Bool{}
	w.run()
	w.settle(c)
	w.settle(c)
	if writes := w.sent.writes(""); len(writes) > 0 {
		t.Errorf("before the index was complete it wrote %v", writes)
	}
	w.deployment(b, "web", "key")
	source := w.secret(c.Namespace, "key")
	w.change(source, func() { source.Data["api-key"] = []byte("not-a-secret-2") })
	w.status(c, "rotated", func(s v1alpha1.CredentialStatus) bool {
		return s.Fingerprint != before.Fingerprint && s.Namespaces.Ready == 1
	})
	if diff := cmp.Diff(source.Data, w.secret(a, "genericsecret-key").Data); diff != "" {
		t.Errorf("the copy (-source +copy):\n%s", diff)
	}
	w.noCopies(b)
	w.late.Store(true)
	w.spread(c, 2)
}
