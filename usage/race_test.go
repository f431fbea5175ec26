// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"fmt"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/usage/object"
)

// TestChurn has 250 short-lived namespaces come and go from several watches while
// others ask; it is for the race detector.
func TestChurn(t *testing.T) {
	x := NewIndex()
	var told sync.Map
	x.Notify(func(c Change) {
		told.Store(c.Namespace, true)
		x.Users(Query{Name: "hub", Secret: hubSecret, Namespaces: []string{c.Namespace}})
	})
	var all []string
	for i := range 250 {
		all = append(all, fmt.Sprint("n", i))
	}
	var busy, asking sync.WaitGroup
	done := make(chan struct{})
	asking.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				x.Users(Query{Name: "hub", Secret: hubSecret, Namespaces: all})
				x.Readers(Query{Name: "hub", Secret: hubSecret, Namespaces: all})
				x.Synced()
			}
		}
	})
	for worker := range 4 {
		busy.Go(func() {
			for i := worker; i < len(all); i += 4 {
				web, set := naming(deployment("web", corev1.PodSpec{})), by("apps/v1", "Deployment", "web", replicaSet("web-1", corev1.PodSpec{}))
				one := by("apps/v1", "ReplicaSet", "web-1", pod("web-1-a", reading(hubSecret)))
				web.Namespace, set.Namespace, one.Namespace = all[i], all[i], all[i]
				for _, each := range []any{one, web, set} {
					read, _ := object.Read(each)
					x.Set(read)
					defer x.Remove(read)
				}
			}
		})
		busy.Go(func() {
			x.Replace(object.ServiceAccount.Value(), []object.Object{readAny(t, account("default", hubSecret))})
		})
	}
	busy.Wait()
	close(done)
	asking.Wait()
	for _, namespace := range all {
		if _, ok := told.Load(namespace); !ok {
			t.Errorf("nobody was told of namespace %s", namespace)
		}
	}
	x.Replace(object.ServiceAccount.Value(), nil)
	checkBooks(t, x, NewIndex())
}
