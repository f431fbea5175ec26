// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestStoredInTheMoment: a pod that is stored between the last list and the deletion
// gets the copy back, and holds the credential.
func TestStoredInTheMoment(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	var once sync.Once
	var pod *corev1.Pod
	stored := make(chan struct{})
	w.hold = func(r *http.Request) {
		if r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, "/namespaces/"+a+"/secrets/genericsecret-key") {
			once.Do(func() {
				pod = w.pod(a, "late", "genericsecret-key", nil)
				close(stored)
			})
		}
	}
	w.run()
	c := w.generic("key")
	w.spread(c, 1)
	before := w.secret(a, "genericsecret-key")
	w.must(w.Delete(w.Context(), w.secret(w.layout.SystemNamespace, "key"))) // its values are nowhere else
	w.must(w.Delete(w.Context(), c))
	<-stored
	w.waits(c, v1alpha1.IssueInUse, a)
	back := w.secret(a, "genericsecret-key")
	if back == nil || back.UID == before.UID || string(back.Data["api-key"]) != string(before.Data["api-key"]) || back.Type != before.Type {
		t.Fatal("it did not come back as it was")
	}
	w.remove(pod)
	w.gone(c)
	w.count("key", 0)
}

// TestStoredLater: as long as the finalizer is there, a pod that comes when the copy
// is gone already gets it back: also after a restart, if the source is there.
func TestStoredLater(t *testing.T) {
	for name, test := range map[string]struct{ restart, source bool }{
		"from memory":         {false, false},
		"from the source":     {true, true},
		"nobody knows values": {true, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a, b := w.project("a", ""), w.project("b", "")
			w.run()
			c := w.generic("key")
			w.spread(c, 2)
			holds := w.pod(b, "holds", "genericsecret-key", nil)
			w.usedBy(c, "Pod "+b+"/holds")
			w.must(w.Delete(w.Context(), c))
			w.noKeyIn(a)
			w.waits(c, v1alpha1.IssueInUse, b)
			if !test.source {
				w.must(w.Delete(w.Context(), w.secret(w.layout.SystemNamespace, "key")))
			}
			if test.restart {
				w.run()
			}
			late := w.pod(a, "late", "genericsecret-key", nil)
			if test.restart && !test.source {
				w.waits(c, v1alpha1.IssueInUse, b)
			} else {
				w.waits(c, v1alpha1.IssueInUse, a, b)
				if got := w.secret(a, "genericsecret-key"); string(got.Data["api-key"]) != "not-a-secret-1" {
					t.Error("it came back with other values")
				}
			}
			w.remove(holds)
			w.remove(late)
			w.gone(c)
			w.count("key", 0)
		})
	}
}
