// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"gomodules.xyz/jsonpatch/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// concurrency is how many requests are under way.
const concurrency = 8

// removeFinalizers lets all Credentials go that are deleted later, or were before. No
// other object ever gets a finalizer of ours.
func (r *run) removeFinalizers(ctx context.Context) []string {
	credentials := v1alpha1.GroupVersion.WithKind("Credential")
	faults := &faults{what: "taking the finalizer off", words: error.Error}
	if err := r.pages(ctx, credentials, func(page []metav1.PartialObjectMetadata) {
		held := slices.DeleteFunc(page, func(c metav1.PartialObjectMetadata) bool { return !slices.Contains(c.Finalizers, v1alpha1.Finalizer) })
		deleted := 0
		for i := range held {
			if held[i].DeletionTimestamp != nil {
				deleted++
			}
		}
		if n := faults.each(ctx, held, r.removeFinalizer); n > 0 {
			r.do("Took the finalizer off Credentials: %d; of these were being deleted: %d.", n, deleted)
		}
	}); err != nil {
		return append(faults.left(), err.Error())
	}
	return faults.left()
}

// removeFinalizer takes the finalizer from where it was seen. Others, and whatever else
// is changed meanwhile, stay.
func (r *run) removeFinalizer(ctx context.Context, c *metav1.PartialObjectMetadata) error {
	at := fmt.Sprintf("/metadata/finalizers/%d", slices.Index(c.Finalizers, v1alpha1.Finalizer))
	body, err := json.Marshal([]jsonpatch.Operation{
		jsonpatch.NewOperation("test", "/metadata/uid", c.UID),
		jsonpatch.NewOperation("test", at, v1alpha1.Finalizer),
		jsonpatch.NewOperation("remove", at, nil),
	})
	if err != nil {
		return err
	}
	return r.Client.Patch(ctx, c, client.RawPatch(types.JSONPatchType, body), client.FieldOwner(v1alpha1.FieldManager))
}

// shown is how many objects are named of which something failed.
const shown = 5

// faults are what went wrong with many objects.
type faults struct {
	// what was done, and the words that there are for an error.
	what  string
	words func(error) string
	mu    sync.Mutex
	names []string
	total int
}

// each does something to each object, and returns for how many it was done. What is gone
// needs nothing.
func (f *faults) each(ctx context.Context, objects []metav1.PartialObjectMetadata, do func(context.Context, *metav1.PartialObjectMetadata) error) int {
	before := f.total
	var group errgroup.Group
	group.SetLimit(concurrency)
	for i := range objects {
		group.Go(func() error {
			what := title(&objects[i]) // which an answer may overwrite
			if err := client.IgnoreNotFound(do(ctx, &objects[i])); err != nil {
				f.add(fmt.Sprintf("%s %s: %s", f.what, what, f.words(err)))
			}
			return nil
		})
	}
	_ = group.Wait() // none returns one
	return len(objects) - (f.total - before)
}

func (f *faults) add(fault string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.total++
	f.names = append(f.names, fault)
	slices.Sort(f.names) // the same ones each time
	f.names = f.names[:min(len(f.names), shown)]
}

func (f *faults) left() []string {
	if f.total > len(f.names) {
		return append(slices.Clone(f.names), fmt.Sprintf("%s %d more", f.what, f.total-len(f.names)))
	}
	return f.names
}
