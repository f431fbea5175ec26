// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestNoRestartWithoutAChange is failure mode 50: a controller that starts, another
// leader and a lost key restart nothing; pods from before the last change that were
// asked for are left alone too.
func TestNoRestartWithoutAChange(t *testing.T) {
	w := newWorld(t).restarting()
	a := w.project("a", "")
	w.run()
	c := w.rotating("key")
	w.spread(c, 1)
	web, pod := w.web(a, "web", "genericsecret-key")
	never, _ := w.web(a, "never", "genericsecret-key")
	w.change(never, func() { never.Spec.Paused = true })
	rotated := w.rotate(c, "not-a-secret-2")
	w.restarted(web, rotated.Fingerprint)
	w.restarted(never, rotated.Fingerprint)
	w.remove(pod)
	w.replica(web, "later", web.Spec.Template, time.Now().Add(time.Hour))

	w.run()
	w.quietly(a)
	w.stop()
	w.must(w.Delete(w.Context(), w.secret(w.layout.InstallNamespace, "credence-fingerprint-key")))
	w.run()
	lost := w.status(c, "of another key", func(s v1alpha1.CredentialStatus) bool {
		return s.Fingerprint != rotated.Fingerprint && s.Namespaces.Ready == 1
	})
	if !lost.RotatedAt.Equal(rotated.RotatedAt) {
		t.Fatalf("a lost key is a rotation at %s", lost.RotatedAt)
	}
	w.settle(c)
	w.quietly(a)
	for _, d := range []*appsv1.Deployment{web, never} {
		if writes := w.patches(d); len(writes) > 0 {
			t.Errorf("%s was written: %q", d.Name, writes)
		}
		w.restarted(d, rotated.Fingerprint)
	}
}

// TestRestartMissedWhileDown is failure mode 51.
func TestRestartMissedWhileDown(t *testing.T) {
	w := newWorld(t).restarting()
	a := w.project("a", "")
	w.run()
	c := w.rotating("key")
	before := w.spread(c, 1)
	web, _ := w.web(a, "web", "genericsecret-key")
	w.stop()
	source := w.secret(c.Namespace, "key")
	w.change(source, func() { source.Data["api-key"] = []byte("not-a-secret-2") })
	w.run()
	after := w.status(c, "rotated", func(s v1alpha1.CredentialStatus) bool { return s.Fingerprint != before.Fingerprint })
	w.restarted(web, after.Fingerprint)

	// Or the controller goes between the copy and the restart.
	late, _ := w.web(a, "late", "genericsecret-key")
	w.stop()
	w.run()
	w.restarted(late, after.Fingerprint)
}

// TestNoRestartIntoOldValues: as long as the copy of a namespace is not up to date,
// a restart would only bring the old values again.
func TestNoRestartIntoOldValues(t *testing.T) {
	w := newWorld(t).restarting()
	a, b := w.project("a", ""), w.project("b", "")
	w.run()
	c := w.rotating("key")
	w.spread(c, 2)
	stuck, _ := w.web(a, "web", "genericsecret-key")
	web, _ := w.web(b, "web", "genericsecret-key")
	policy, binding := w.refuseSecrets(a)
	status := w.rotate(c, "not-a-secret-2")
	w.restarted(web, status.Fingerprint)
	w.quietly(b)
	if writes := w.patches(stuck); len(writes) > 0 {
		t.Errorf("it was restarted: %q", writes)
	}
	w.must(w.Delete(w.Context(), binding))
	w.must(w.Delete(w.Context(), policy))
	w.restarted(stuck, status.Fingerprint)
}

// TestRestartTakenBack is failure modes 22 and 53: an operator resets the template
// that it owns. That is told once and not fought, by this process or the next.
func TestRestartTakenBack(t *testing.T) {
	for name, all := range map[string]bool{"the template": false, "all annotations": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).restarting()
			a := w.project("a", "")
			w.run()
			c := w.rotating("key")
			w.spread(c, 1)
			web, _ := w.web(a, "web", "genericsecret-key")
			w.change(web, func() {
				web.OwnerReferences = []metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: "Shop", Name: "books", UID: "1", Controller: new(true)}}
			})
			status := w.rotate(c, "not-a-secret-2")
			w.restarted(web, status.Fingerprint)
			w.change(web, func() {
				web.Spec.Template.Annotations = nil
				if all {
					web.Annotations = nil
				}
			})
			w.eventually("it is told", func() error {
				return errors.Join(w.toldOf(web, "RestartReverted", "Shop books reset its pod template"),
					w.toldOf(c, "RestartReverted", "Deployment "+a+"/web"))
			})
			w.quietly(a)
			if all {
				w.change(web, func() { web.Annotations = nil })
			} else {
				w.run()
			}
			w.quietly(a)
			w.restarted(web)
			if writes := w.patches(web); !all && len(writes) > 0 || all && len(writes) > 2 {
				t.Errorf("it is fought: %q", writes)
			}
			told := 0
			for _, event := range w.eventsIn(a) {
				if event.Reason == "RestartReverted" {
					told++
				}
			}
			if told != 1 {
				t.Errorf("it is told %d times", told)
			}
		})
	}
}

// TestRestartBesideOthers: two write a workload at the same time, and neither
// write is lost. What a GitOps tool applied stays its own (failure mode 53).
func TestRestartBesideOthers(t *testing.T) {
	w := newWorld(t).restarting()
	a := w.project("a", "")
	tries := 0
	w.hold = func(r *http.Request) {
		if r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, "/deployments/web") && tries < 3 {
			tries++
			theirs := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: a, Name: "web"}}
			w.change(theirs, func() {
				theirs.Spec.Template.Annotations = map[string]string{"example.com/mine": fmt.Sprint(tries)}
			})
		}
	}
	w.run()
	c := w.rotating("key")
	w.spread(c, 1)
	web, _ := w.web(a, "web", "genericsecret-key")
	w.restarted(web, w.rotate(c, "not-a-secret-2").Fingerprint)
	if got := web.Spec.Template.Annotations["example.com/mine"]; got != "3" {
		t.Errorf("the last edit is lost: it is %q", got)
	}
	ours := ""
	for _, entry := range web.ManagedFields {
		if entry.Manager == v1alpha1.FieldManager {
			ours += entry.FieldsV1.GetRawString()
		}
	}
	for _, foreign := range []string{"f:containers", "f:replicas", "example.com/mine"} {
		if strings.Contains(ours, foreign) || !strings.Contains(ours, `"f:credence.dev/restarted-for"`) {
			t.Errorf("we own %s", ours)
		}
	}
}

// TestRestartsNotEnabled: the credential is told when it begins to ask, and when it
// would have had one.
func TestRestartsNotEnabled(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	w.spread(w.generic("first"), 1) // what is there before is no change
	c := w.rotating("key")
	w.spread(c, 1)
	web, _ := w.web(a, "web", "genericsecret-key")
	w.eventually("it is told", func() error { return w.toldOf(c, "RestartsNotEnabled", "rotation.restarts") })
	w.rotate(c, "not-a-secret-2")
	w.run() // tells nothing again
	w.settle(c)
	w.settle(c)
	if writes := w.patches(web); len(writes) > 0 {
		t.Errorf("it was written: %q", writes)
	}
	if reads := w.sent.reads("/apis/apps/v1/namespaces/" + a + "/deployments/web"); reads > 0 {
		t.Errorf("it was read %d times", reads)
	}
}
