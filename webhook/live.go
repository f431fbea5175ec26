// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	utilcache "k8s.io/apimachinery/pkg/util/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/injector"
)

// Limits of live reads. They are for what was created a moment ago; a flood of
// misspelt names must not become a flood on the API server.
const (
	liveTimeout    = time.Second
	liveAbsentKept = 2 * time.Second
	liveAtOnce     = 20
	liveAbsentMax  = 4096 // names remembered as absent
)

// liveReader reads namespaces and credentials that the caches do not know.
type liveReader struct {
	known   *catalog.Catalog
	reader  client.Reader
	metrics *metrics

	flights singleflight.Group
	slots   *semaphore.Weighted
	absent  *utilcache.LRUExpireCache
}

func newLiveReader(known *catalog.Catalog, reader client.Reader, metrics *metrics, clock utilcache.Clock) *liveReader {
	return &liveReader{
		known: known, reader: reader, metrics: metrics,
		slots:  semaphore.NewWeighted(liveAtOnce),
		absent: utilcache.NewLRUExpireCacheWithClock(liveAbsentMax, clock),
	}
}

// read looks up what a pod needs and the catalog lacks: its namespace, and the
// credentials that it names. It returns nil where nothing new was found. An error
// means that the answer is not known.
func (l *liveReader) read(ctx context.Context, namespace string, pod *injector.Pod) (*overlay, error) {
	found := &overlay{Catalog: l.known}
	place, _ := l.known.Place(namespace)
	if !place.IsProject() {
		live, err := l.namespace(ctx, namespace)
		if err != nil || live == nil {
			return nil, err
		}
		if place = *live; !place.IsProject() {
			return nil, nil
		}
		found.place = live
	}
	for _, name := range pod.CredentialNames() {
		if _, ok := l.known.Lookup(place, name); ok {
			continue
		}
		for _, home := range append([]string{namespace}, l.known.Homes(place)...) {
			entry, err := l.credential(ctx, types.NamespacedName{Namespace: home, Name: name})
			if err != nil {
				return nil, err
			}
			if entry != nil {
				found.entries = append(found.entries, entry)
			}
		}
	}
	if found.place == nil && len(found.entries) == 0 {
		return nil, nil
	}
	return found, nil
}

func (l *liveReader) namespace(ctx context.Context, name string) (*credential.Place, error) {
	object := feed.Namespace()
	found, err := l.get(ctx, types.NamespacedName{Name: name}, object)
	if err != nil || !found {
		return nil, err
	}
	place := l.known.Layout().Place(name, object.Labels)
	return &place, nil
}

func (l *liveReader) credential(ctx context.Context, key types.NamespacedName) (*catalog.Entry, error) {
	object := &v1alpha1.Credential{}
	found, err := l.get(ctx, key, object)
	if err != nil || !found {
		return nil, err
	}
	return catalog.NewEntry(object), nil
}

// get reads one object, once for all who ask at the same time, into the object of
// each of them.
func (l *liveReader) get(ctx context.Context, key types.NamespacedName, into client.Object) (found bool, err error) {
	flight := fmt.Sprintf("%T %s", into, key)
	if _, absent := l.absent.Get(flight); absent {
		return false, nil
	}
	// The read outlives the request that began it: others wait for it too.
	result := l.flights.DoChan(flight, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), liveTimeout)
		defer cancel()
		if err := l.slots.Acquire(ctx, 1); err != nil {
			l.metrics.liveRead("busy")
			return nil, fmt.Errorf("%d live reads are under way: %w", liveAtOnce, err)
		}
		defer l.slots.Release(1)
		object := into.DeepCopyObject().(client.Object)
		err := l.reader.Get(ctx, key, object)
		switch {
		case apierrors.IsNotFound(err):
			l.metrics.liveRead("absent")
			l.absent.Add(flight, struct{}{}, liveAbsentKept)
			return nil, nil
		case err != nil:
			l.metrics.liveRead("error")
			return nil, fmt.Errorf("reading %s: %w", key, err)
		}
		l.metrics.liveRead("found")
		return object, nil
	})
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case r := <-result:
		if r.Err != nil || r.Val == nil {
			return false, r.Err
		}
		copyInto(r.Val.(client.Object), into)
		return true, nil
	}
}
