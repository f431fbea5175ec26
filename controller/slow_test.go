// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller"
)

// slow has the answers to writes of Secrets in a namespace come late: when it is
// let go, or the client gives up. It returns how many came.
func (w *world) slow(namespace string) (answered func() int, letGo func()) {
	var count atomic.Int32
	waiting := make(chan struct{})
	letGo = sync.OnceFunc(func() { close(waiting) })
	w.Cleanup(letGo) // before the world is stopped, also when the test fails
	w.hold = func(r *http.Request) {
		if r.Method == http.MethodGet || !strings.Contains(r.URL.Path, "/namespaces/"+namespace+"/secrets") {
			return
		}
		select {
		case <-waiting:
		case <-r.Context().Done():
		}
		count.Add(1)
	}
	return func() int { return int(count.Load()) }, letGo
}

// TestSlowNamespace: one that hangs keeps neither its own credential's status nor
// another credential waiting (and no goroutine runs on behind the manager's back).
func TestSlowNamespace(t *testing.T) {
	w := newWorld(t)
	answered, letGo := w.slow(w.project("slow", ""))
	w.project("a", "")
	w.project("b", "")
	w.run()
	for _, name := range []string{"first", "second"} {
		c := w.generic(name)
		status := w.status(c, "told", func(s v1alpha1.CredentialStatus) bool { return s.Namespaces.Ready == 2 })
		if len(status.PendingNamespaces) != 1 || status.State != v1alpha1.StateCreating {
			t.Errorf("the status is %+v", status)
		}
	}
	if answered() > 0 {
		t.Error("the status came only after the slow namespace answered")
	}
	w.stop() // breaks it off
	w.hold = nil
	letGo()
	w.run()
	w.spread(w.named("first"), 3)
	w.spread(w.named("second"), 3)
}

// TestWritesAreBounded: one pool for the copies of all credentials, so that a burst
// is a queue here and not at the API server.
func TestWritesAreBounded(t *testing.T) {
	const bound, namespaces = 3, 10
	w := newWorld(t)
	var underWay, most atomic.Int32
	waiting := make(chan struct{})
	letGo := sync.OnceFunc(func() { close(waiting) })
	t.Cleanup(letGo) // before the world is stopped, also when the test fails
	w.hold = func(r *http.Request) {
		if r.Method == http.MethodGet || !strings.Contains(r.URL.Path, "/namespaces/"+w.prefix+"-p") || !strings.Contains(r.URL.Path, "/secrets") {
			return
		}
		defer underWay.Add(-1)
		for now := underWay.Add(1); ; {
			if before := most.Load(); now <= before || most.CompareAndSwap(before, now) {
				break
			}
		}
		select {
		case <-waiting:
		case <-r.Context().Done():
		}
	}
	w.configure = func(o *controller.Options) { o.Concurrency = bound }
	for i := range namespaces {
		w.project(fmt.Sprintf("p%d", i), "")
	}
	w.run()
	all := []*v1alpha1.Credential{w.generic("first"), w.generic("second")}
	for _, c := range all { // which is told when all that may begin has begun
		w.status(c, "told", func(s v1alpha1.CredentialStatus) bool { return len(s.PendingNamespaces) == namespaces })
	}
	if got := most.Load(); got != bound {
		t.Errorf("%d writes were under way at once, want %d", got, bound)
	}
	letGo()
	for _, c := range all {
		w.spread(c, namespaces)
	}
	if got := most.Load(); got != bound {
		t.Errorf("%d writes were under way at once, want %d", got, bound)
	}
}

// TestDeleteWaitsForWhatIsUnderWay: a copy that is being made shows in no list.
func TestDeleteWaitsForWhatIsUnderWay(t *testing.T) {
	w := newWorld(t)
	slow := w.project("slow", "")
	w.project("a", "")
	_, letGo := w.slow(slow)
	w.configure = func(o *controller.Options) { o.StrayInterval = time.Hour } // nobody comes after
	w.run()
	c, other := w.generic("key"), w.generic("other")
	for _, each := range []*v1alpha1.Credential{c, other} {
		w.status(each, "told", func(s v1alpha1.CredentialStatus) bool { return s.Namespaces.Ready == 1 })
	}
	w.must(w.Delete(w.Context(), c))
	w.settle(other)
	w.settle(other)
	w.must(w.Get(w.Context(), client.ObjectKeyFromObject(c), c)) // it waits
	letGo()
	w.spread(other, 2)
	w.wrote("create", 4) // so that the slow copy of the one that goes was made as well
	w.gone(c)
	w.count("key", 0)
}

// wrote waits until so many copies were written in a way, by the controllers that
// run now.
func (w *world) wrote(operation string, copies int) {
	w.Helper()
	w.eventually(fmt.Sprintf("%s took %d copies", operation, copies), func() error {
		families, err := w.metrics.Gather()
		w.must(err)
		count := 0
		for _, family := range families {
			for _, metric := range family.GetMetric() {
				labels := map[string]string{}
				for _, pair := range metric.GetLabel() {
					labels[pair.GetName()] = pair.GetValue()
				}
				if family.GetName() == "credence_copy_writes_total" && labels["operation"] == operation && labels["outcome"] == "success" {
					count += int(metric.GetCounter().GetValue())
				}
			}
		}
		if count != copies {
			return fmt.Errorf("it took %d", count)
		}
		return nil
	})
}

// named returns a Credential of the system namespace.
func (w *world) named(name string) *v1alpha1.Credential {
	c := &v1alpha1.Credential{}
	c.Namespace, c.Name = w.layout.SystemNamespace, name
	return c
}
