// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestChurn: short-lived projects, as pipelines make them, leave no error, no stray
// and no goroutine (kubernetes-replicator#214, #215, #216). It is worth most under
// the race detector.
func TestChurn(t *testing.T) {
	const namespaces, atOnce, kept = 250, 8, 10
	w := newWorld(t)
	complaints := w.listen()
	w.run()
	wide := w.generic("wide")
	w.source(w.layout.SystemNamespace, "narrow", kinds[v1alpha1.Generic], researchScope)
	narrow := w.credential(w.layout.SystemNamespace, "narrow", v1alpha1.Generic, researchScope)

	numbers := make(chan int)
	var working sync.WaitGroup
	for range atOnce {
		working.Go(func() {
			for i := range numbers {
				if err := w.comeAndGo(fmt.Sprintf("churn-%d", i), i >= kept, i%2 == 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range namespaces {
		numbers <- i
	}
	close(numbers)
	working.Wait()

	w.spread(wide, kept)
	w.spread(narrow, kept)
	w.count("wide", kept)
	w.count("narrow", kept)
	w.must(w.Delete(t.Context(), wide))
	w.must(w.Delete(t.Context(), narrow))
	w.gone(wide)
	w.gone(narrow)
	w.count("wide", 0)
	w.count("narrow", 0)
	if found := complaints(); len(found) > 0 {
		t.Errorf("%d errors were logged, the first: %s", len(found), found[0])
	}
	w.stop()
	ours := regexp.MustCompile(`credence/(controller|controller/\w+|feed)\.`)
	w.eventually("no goroutine is left", func() error {
		stacks := make([]byte, 1<<22)
		for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if ours.MatchString(stack) {
				return fmt.Errorf("%s", stack)
			}
		}
		return nil
	})
}

// listen has the errors taken down that controllers log.
func (w *world) listen() func() []string {
	var mu sync.Mutex
	var errors []string
	w.log = funcr.New(func(_, line string) {
		if strings.HasPrefix(line, `"level"`) { // information
			return
		}
		mu.Lock()
		defer mu.Unlock()
		errors = append(errors, line)
	}, funcr.Options{})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return errors
	}
}

// comeAndGo makes a project whose department flaps, and lets it go again, not
// always waiting for its copies.
func (w *world) comeAndGo(name string, goes, patient bool) error {
	ctx := w.Context()
	labels := map[string]string{w.layout.ProjectLabel: name, w.layout.DepartmentLabel: "research"}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.prefix + "-" + name, Labels: labels}}
	if err := w.Create(ctx, namespace); err != nil {
		return err
	}
	if patient {
		w.eventually("there is a copy", func() error {
			return w.Get(ctx, client.ObjectKey{Namespace: namespace.Name, Name: "genericsecret-narrow"}, &corev1.Secret{})
		})
	}
	for _, department := range []string{"sales", "research"} {
		before := namespace.DeepCopy()
		namespace.Labels[w.layout.DepartmentLabel] = department
		if err := w.Patch(ctx, namespace, client.MergeFrom(before)); err != nil {
			return err
		}
	}
	if !goes {
		return nil
	}
	if err := w.Delete(ctx, namespace); err != nil {
		return err
	}
	return w.empty(ctx, namespace)
}

// empty does what the namespace controller does, which is not here: it removes
// what is in a namespace, and then lets it go.
func (w *world) empty(ctx context.Context, namespace *corev1.Namespace) error {
	var left corev1.SecretList
	for first := true; first || len(left.Items) > 0; first = false {
		if err := w.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace(namespace.Name)); err != nil {
			return err
		}
		if err := w.List(ctx, &left, client.InNamespace(namespace.Name)); err != nil {
			return err
		}
	}
	if err := w.Get(ctx, client.ObjectKeyFromObject(namespace), namespace); err != nil {
		return err
	}
	namespace.Spec.Finalizers = nil
	return client.IgnoreNotFound(w.SubResource("finalize").Update(ctx, namespace))
}
