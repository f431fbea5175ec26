// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/credence-dev/credence/usage/object"
)

var realClock clock.Clock = clock.RealClock{}

// following is one kind and the watch that follows it.
type following struct {
	kind  schema.GroupKind
	index *Index
	// uncarried are kept apart from the index, for nobody who asks that needs them.
	uncarried *uncarried
	log       logr.Logger
	read      func(any) (object.Object, bool)
	// connect returns the reflector to watch with, which keeps its place between
	// tries.
	connect func() (*cache.Reflector, error)
	// optional is a kind that may be absent.
	optional bool

	// heard is when the API server last said something, in Unix seconds.
	heard atomic.Int64
	// works says that the last list succeeded and no try failed since.
	works atomic.Bool
	// told is what was last logged of a failure.
	told string
}

// followOnce lists the kind and watches it, until that fails.
func (k *following) followOnce(ctx context.Context) {
	reflector, err := k.connect()
	if err == nil {
		err = reflector.ListAndWatchWithContext(klog.NewContext(ctx, logr.Discard())) // said here, once
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	k.works.Store(false)
	if k.optional && (meta.IsNoMatchError(err) || apierrors.IsNotFound(err)) {
		k.empty() // with a kind go its objects, which the watch may not have told
	}
	k.tell(err)
}

// tell logs what keeps the kind from being followed, each problem once.
func (k *following) tell(err error) {
	if problem := err.Error(); problem != k.told {
		k.told = problem
		k.log.Info("cannot follow a kind of workload, trying again", "kind", k.kind.String(), "problem", problem)
	}
}

// empty takes in that nothing of the kind is known to be there.
func (k *following) empty() {
	k.index.Replace(k.kind, nil)
	k.uncarried.replace(k.kind, nil)
}

// page is how many objects are asked for at once where the API server does not
// stream: 500 pods of 20 KiB are 10 MiB.
const page = 500

// reflector returns what lists and watches the kind into the index. Objects are
// made slim one by one where the API server streams them, and page by page where
// it does not: 50,000 whole pods never stand in memory.
func (k *following) reflector(lw *cache.ListWatch, retry cache.ReflectorOptions) *cache.Reflector {
	list := lw.ListWithContextFunc
	slimmed := &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			w, err := lw.WatchFuncWithContext(ctx, options)
			// The reflector begins again by itself, and says nothing. That a version is too
			// old is no problem.
			if err != nil && ctx.Err() == nil && !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
				k.tell(err)
			}
			return w, err
		},
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			if options.ResourceVersion == "0" {
				options.ResourceVersion = "" // "0" is answered from a cache that ignores the limit
			}
			whole, err := list(ctx, options)
			if err != nil {
				return nil, err
			}
			return k.slimList(whole)
		},
	}
	retry.TypeDescription, retry.Name = k.kind.String(), "usage"
	reflector := cache.NewReflectorWithOptions(slimmed, nil, (*store)(k), retry)
	reflector.WatchListPageSize = page
	return reflector
}

// slim is an object on its way from the API server to the index.
type slim struct{ object.Object }

// GetObjectKind implements runtime.Object, for the sake of lists.
func (s *slim) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object.
func (s *slim) DeepCopyObject() runtime.Object { c := *s; return &c }

func (k *following) slim(one any) (*slim, error) {
	if done, ok := one.(*slim); ok {
		return done, nil
	}
	read, ok := k.read(one)
	if !ok {
		return nil, fmt.Errorf("a %T came for a %s", one, k.kind)
	}
	return &slim{read}, nil
}

// slimList makes the objects of a page slim.
func (k *following) slimList(whole runtime.Object) (runtime.Object, error) {
	about, err := meta.ListAccessor(whole)
	if err != nil {
		return nil, err
	}
	list := &internalversion.List{ListMeta: metav1.ListMeta{
		ResourceVersion: about.GetResourceVersion(), Continue: about.GetContinue(), RemainingItemCount: about.GetRemainingItemCount(),
	}}
	err = meta.EachListItem(whole, func(one runtime.Object) error {
		slim, err := k.slim(one)
		list.Items = append(list.Items, slim)
		return err
	})
	return list, err
}

// store is a kind's way into the index, for its reflector.
type store following

var (
	_ cache.TransformingStore      = &store{}
	_ cache.ReflectorBookmarkStore = &store{}
)

// Transformer makes objects slim as they are streamed.
func (s *store) Transformer() cache.TransformFunc {
	return func(one any) (any, error) { return (*following)(s).slim(one) }
}

// Add takes in a new object.
func (s *store) Add(one any) error { return s.take(one, s.set) }

// Update takes in a changed object.
func (s *store) Update(one any) error { return s.take(one, s.set) }

// Delete takes in that an object is gone.
func (s *store) Delete(one any) error { return s.take(one, s.remove) }

func (s *store) set(o object.Object) {
	s.index.Set(o)
	s.uncarried.set(&o)
}

func (s *store) remove(o object.Object) {
	s.index.Remove(o)
	s.uncarried.remove(o.ID())
}

func (s *store) take(one any, into func(object.Object)) error {
	slim, err := (*following)(s).slim(one)
	if err != nil {
		return err
	}
	s.heard.Store(time.Now().Unix())
	into(slim.Object)
	return nil
}

// Replace takes in all objects there are, after a list.
func (s *store) Replace(list []any, _ string) error {
	objects := make([]object.Object, 0, len(list))
	for _, one := range list {
		slim, err := (*following)(s).slim(one)
		if err != nil {
			return err
		}
		objects = append(objects, slim.Object)
	}
	s.heard.Store(time.Now().Unix())
	s.index.Replace(s.kind, objects)
	s.uncarried.replace(s.kind, objects)
	if !s.works.Swap(true) {
		s.told = ""
		s.log.Info("following a kind of workload", "kind", s.kind.String(), "objects", len(objects))
	}
	return nil
}

// Bookmark notes that the watch is alive although nothing happens.
func (s *store) Bookmark(string) error {
	s.heard.Store(time.Now().Unix())
	return nil
}

// Resync has nothing to do: the index keeps no deltas.
func (s *store) Resync() error { return nil }
