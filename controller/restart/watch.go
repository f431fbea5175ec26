// SPDX-License-Identifier: Apache-2.0

package restart

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
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
	// elected is closed when the process leads. Before that nobody takes anything
	// out of the queue, and all workloads are looked at then.
	elected <-chan struct{}

	mu    sync.Mutex
	noted notes
}

// notes are what may have changed since they were last looked through.
type notes struct {
	places      map[place]struct{}
	credentials map[types.NamespacedName]struct{}
	all         bool
}

// Start implements source.TypedSource.
func (w *watch) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[usage.Workload]) error {
	w.noteAll() // what was there before does not come as a change
	w.feed.Notify(w.onFeed)
	w.index.Notify(func(change usage.Change) {
		for _, secret := range change.Secrets {
			w.notePlace(place{change.Namespace, secret})
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
		w.notePlace(place{secret.Namespace, secret.Name})
	}
}

// onFeed notes a credential if there may be something to restart for. A namespace
// that comes into its scope has no pods that read it yet.
func (w *watch) onFeed(change feed.Change) {
	c, ok := change.After.(*v1alpha1.Credential)
	if !ok || !asks(c) {
		return
	}
	if before, known := change.Before.(*v1alpha1.Credential); known && asks(before) && !differ(before, c) {
		return
	}
	w.noteCredential(client.ObjectKeyFromObject(c))
}

// differ says whether two statuses of a credential that asks tell of different
// changes of its values. Most of what is written there does not.
func differ(before, after *v1alpha1.Credential) bool {
	isReady := func(c *v1alpha1.Credential) bool {
		return meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionReady)
	}
	return before.UID != after.UID || before.Status.Fingerprint != after.Status.Fingerprint ||
		!before.Status.RotatedAt.Equal(after.Status.RotatedAt) || isReady(before) != isReady(after)
}

// leads says whether the process leads. A standby notes nothing: it would keep what
// it never looks through.
func (w *watch) leads() bool {
	select {
	case <-w.elected:
		return true
	default:
		return false
	}
}

func (w *watch) notePlace(p place) {
	if !w.leads() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.noted.places == nil {
		w.noted.places = map[place]struct{}{}
	}
	w.noted.places[p] = struct{}{}
}

func (w *watch) noteCredential(key types.NamespacedName) {
	if !w.leads() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.noted.credentials == nil {
		w.noted.credentials = map[types.NamespacedName]struct{}{}
	}
	w.noted.credentials[key] = struct{}{}
}

func (w *watch) noteAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noted.all = true
}

// take returns what was noted.
func (w *watch) take() notes {
	w.mu.Lock()
	defer w.mu.Unlock()
	noted := w.noted
	w.noted = notes{}
	return noted
}

// drain brings the workloads with outdated pods, once somebody is there to restart
// them.
func (w *watch) drain(ctx context.Context, queue workqueue.TypedInterface[usage.Workload]) {
	if !w.leads() || !w.synced() {
		return
	}
	noted := w.take()
	if len(noted.places) == 0 && len(noted.credentials) == 0 && !noted.all {
		return
	}
	asking, err := w.asking(ctx)
	if err != nil {
		log.FromContext(ctx).Error(err, "Could not find out whom a change concerns")
		w.noteAll()
		return
	}
	w.bringNoted(ctx, queue, noted, asking)
}

// bringNoted looks through what was noted, for the credentials that ask.
func (w *watch) bringNoted(ctx context.Context, queue workqueue.TypedInterface[usage.Workload], noted notes, asking []*v1alpha1.Credential) {
	bySecret := make(map[string][]*v1alpha1.Credential, len(asking))
	for _, c := range asking {
		if _, changed := noted.credentials[client.ObjectKeyFromObject(c)]; changed || noted.all {
			for _, project := range w.catalog.Reach(c.Spec.Scope, c.Namespace) {
				w.bring(ctx, queue, c, project.Namespace)
			}
			continue
		}
		secret := credential.KubernetesName(c)
		bySecret[secret] = append(bySecret[secret], c)
	}
	for p := range noted.places {
		for _, c := range bySecret[p.secret] {
			w.bring(ctx, queue, c, p.namespace)
		}
	}
}

// bring brings the workloads of a namespace with outdated pods, if the credential's
// name means it there.
func (w *watch) bring(ctx context.Context, queue workqueue.TypedInterface[usage.Workload], c *v1alpha1.Credential, namespace string) {
	change, changed, err := w.change(ctx, c, namespace)
	if err != nil {
		log.FromContext(ctx).Error(err, "Could not find out whom a change concerns")
		w.notePlace(place{namespace, credential.KubernetesName(c)})
		return
	}
	if !changed {
		return
	}
	for _, reader := range w.readers(c, namespace) {
		if reader.Workload.UID != "" && reader.IsOutdated(change.at) {
			queue.Add(reader.Workload)
		}
	}
}
