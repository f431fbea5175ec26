// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/credence-dev/credence/injector/workload"
	"github.com/credence-dev/credence/usage/object"
)

// task is that a third-party kind is followed.
type task struct {
	kind workload.Kind
	stop context.CancelFunc
	// before is what followed the kind otherwise, and done says that this ended.
	before, done chan struct{}
}

func groupKind(kind *workload.Kind) schema.GroupKind {
	return schema.GroupKind{Group: kind.Group, Kind: kind.Kind}
}

// Add has a kind of others followed from now on, and one that is followed already as
// its paths are now. A kind that is not there, or may not be read, is tried until it
// can be.
func (f *Follower) Add(kind workload.Kind) error {
	if f.options.Mapper == nil {
		return errors.New("following kinds without a mapper that finds them")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &task{kind: kind, done: make(chan struct{})}
	if old := f.tasks[groupKind(&kind)]; old != nil {
		if reflect.DeepEqual(old.kind, kind) {
			return nil
		}
		t.before = old.done
		old.end()
	}
	f.tasks[groupKind(&kind)] = t
	if f.ctx != nil {
		f.begin(t)
	}
	return nil
}

// Remove has a kind followed no longer. Its objects are forgotten; their pods are not.
func (f *Follower) Remove(kind schema.GroupKind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t := f.tasks[kind]; t != nil {
		delete(f.tasks, kind)
		t.end()
	}
}

// end ends a task, which may not have begun.
func (t *task) end() {
	if t.stop == nil {
		close(t.done)
		return
	}
	t.stop()
}

// begin runs a task once what was there before has ended. The lock must be held.
func (f *Follower) begin(t *task) {
	if f.ctx.Err() != nil {
		return
	}
	ctx, stop := context.WithCancel(f.ctx)
	t.stop = stop
	f.running.Go(func() {
		defer close(t.done)
		if t.before != nil {
			<-t.before
		}
		k := f.otherKind(&t.kind)
		f.run(ctx, k)
		if f.ctx.Err() == nil {
			k.empty()
		}
	})
}

// Follows says whether the objects of a kind are all known, as far as can be seen
// now.
func (f *Follower) Follows(kind schema.GroupKind) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.kinds, func(k *following) bool { return k.kind == kind && k.works.Load() })
}

// builtInKind follows a kind of Kubernetes' own.
func (f *Follower) builtInKind(one object.Served) *following {
	clients := map[string]rest.Interface{
		corev1.GroupName:  f.builtIn.CoreV1().RESTClient(),
		appsv1.GroupName:  f.builtIn.AppsV1().RESTClient(),
		batchv1.GroupName: f.builtIn.BatchV1().RESTClient(),
	}
	k := f.newFollowing(one.GroupKind(), object.Read)
	reflector := k.reflector(cache.NewListWatchFromClient(clients[one.Group], one.Resource, "", fields.Everything()), f.retry())
	k.connect = func() (*cache.Reflector, error) { return reflector, nil }
	return k
}

// otherKind follows a third-party kind, which may come and go.
func (f *Follower) otherKind(kind *workload.Kind) *following {
	k := f.newFollowing(groupKind(kind), func(one any) (object.Object, bool) { return read(kind, one) })
	k.optional = true
	var (
		reflector *cache.Reflector
		before    schema.GroupVersionResource
	)
	k.connect = func() (*cache.Reflector, error) {
		mapping, err := f.options.Mapper.RESTMapping(groupKind(kind), kind.Versions...)
		if err != nil {
			return nil, fmt.Errorf("finding the resource: %w", err)
		}
		if reflector == nil || mapping.Resource != before {
			before, reflector = mapping.Resource, k.reflector(f.listWatch(mapping.Resource), f.retry())
		}
		return reflector, nil
	}
	return k
}

func (f *Follower) listWatch(resource schema.GroupVersionResource) *cache.ListWatch {
	client := f.others.Resource(resource)
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return client.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return client.Watch(ctx, options)
		},
	}
}

func (f *Follower) newFollowing(kind schema.GroupKind, read func(any) (object.Object, bool)) *following {
	return &following{kind: kind, index: f.index, uncarried: &f.uncarried, log: f.options.Log, read: read}
}

// retry is the pause of a reflector's own tries.
func (f *Follower) retry() cache.ReflectorOptions {
	pause := f.pause()
	return cache.ReflectorOptions{Backoff: &pause}
}

// read returns what is kept of an object of a third-party kind. Its template may
// hold what a pod's does not; that is passed over.
func read(kind *workload.Kind, one any) (object.Object, bool) {
	o, ok := one.(*unstructured.Unstructured)
	if !ok {
		return object.Object{}, false
	}
	var templates []*corev1.PodTemplateSpec
	for _, raw := range kind.Find(o.Object) {
		template := &corev1.PodTemplateSpec{}
		_ = runtime.DefaultUnstructuredConverter.FromUnstructured(raw, template) // behind a misfit is what was read
		templates = append(templates, template)
	}
	if kind.PullSecrets {
		return object.NewPulling(groupKind(kind), o, templates...), true
	}
	return object.New(groupKind(kind), o, false, templates...), true
}
