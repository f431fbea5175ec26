// SPDX-License-Identifier: Apache-2.0

package restart

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/usage"
)

// resync is how often all workloads are looked at although nothing happened.
const resync = time.Hour

// place is where a Secret is read.
type place struct{ namespace, secret string }

// watch finds the workloads that may be due. What happens is collected for a
// moment: credentials that change together are one restart, and pods come and go
// by the hundred.
type watch struct {
	facts
	feed      *feed.Feed
	informers cache.Informers
	settle    time.Duration

	mu     sync.Mutex
	places map[place]struct{}
	all    bool
}

// Start implements source.TypedSource.
func (w *watch) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[usage.Workload]) error {
	w.places = map[place]struct{}{}
	w.all = true // what was there before does not come as a change
	w.feed.Notify(w.onFeed)
	w.index.Notify(func(change usage.Change) {
		for _, secret := range change.Secrets {
			w.note(place{change.Namespace, secret})
		}
	})
	informer, err := w.informers.GetInformer(ctx, copies.Secret(), cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("following copies: %w", err)
	}
	if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    w.onCopy,
		UpdateFunc: func(_, secret any) { w.onCopy(secret) },
	}); err != nil {
		return fmt.Errorf("following copies: %w", err)
	}
	go wait.UntilWithContext(ctx, func(ctx context.Context) { w.drain(ctx, queue) }, w.settle)
	go wait.UntilWithContext(ctx, func(context.Context) { w.noteAll() }, resync)
	return nil
}

// WaitForSync implements source.TypedSyncingSource.
func (w *watch) WaitForSync(ctx context.Context) error {
	err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(context.Context) (bool, error) {
		return w.synced(), nil
	})
	if errors.Is(ctx.Err(), context.Canceled) { // the process is stopping
		return nil
	}
	return err
}

// synced says whether everything is known. Half an index does not harm, for who is
// not known is not restarted, but half a catalog may take one credential for
// another.
func (w *watch) synced() bool { return w.feed.Synced() && w.index.Synced() }

func (w *watch) onCopy(object any) {
	if secret, ok := object.(*metav1.PartialObjectMetadata); ok {
		w.note(place{secret.Namespace, secret.Name})
	}
}

// onFeed notes where a credential is read that may have changed. A namespace that
// comes into its scope has no pods that read it yet.
func (w *watch) onFeed(change feed.Change) {
	c, ok := change.After.(*v1alpha1.Credential)
	if !ok || !asks(c) {
		return
	}
	name := credential.KubernetesName(c)
	for _, project := range w.catalog.Reach(c.Spec.Scope, c.Namespace) {
		w.note(place{project.Namespace, name})
	}
}

func (w *watch) note(p place) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.places[p] = struct{}{}
}

func (w *watch) noteAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = true
}

// take returns what was noted.
func (w *watch) take() (places map[place]struct{}, all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	places, all = w.places, w.all
	w.places, w.all = map[place]struct{}{}, false
	return places, all
}

// drain brings the workloads with outdated pods.
func (w *watch) drain(ctx context.Context, queue workqueue.TypedInterface[usage.Workload]) {
	if !w.synced() {
		return
	}
	places, all := w.take()
	if len(places) == 0 && !all {
		return
	}
	asking, err := w.asking(ctx)
	if err != nil {
		log.FromContext(ctx).Error(err, "Could not find out whom a change concerns")
		w.noteAll()
		return
	}
	for _, c := range asking {
		secret := credential.KubernetesName(c)
		for _, project := range w.catalog.Reach(c.Spec.Scope, c.Namespace) {
			if _, noted := places[place{project.Namespace, secret}]; noted || all {
				w.bring(ctx, queue, c, project.Namespace)
			}
		}
	}
}

func (w *watch) bring(ctx context.Context, queue workqueue.TypedInterface[usage.Workload], c *v1alpha1.Credential, namespace string) {
	change, changed, err := w.change(ctx, c, namespace)
	if err != nil {
		log.FromContext(ctx).Error(err, "Could not find out whom a change concerns")
		w.note(place{namespace, credential.KubernetesName(c)})
		return
	}
	if !changed {
		return
	}
	for _, reader := range w.readers(c, namespace) {
		if reader.Workload.UID != "" && isOutdated(reader, change.at) {
			queue.Add(reader.Workload)
		}
	}
}
