// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"context"
	"fmt"

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

	"github.com/credence-dev/credence/usage/object"
)

// Kind is a third-party kind that has pods.
type Kind struct {
	schema.GroupVersionKind
	// Templates returns the pod templates in an object, each a map as JSON has it.
	Templates func(object map[string]any) []map[string]any
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
func (f *Follower) otherKind(kind Kind) *following {
	k := f.newFollowing(kind.GroupKind(), kind.read)
	k.optional = true
	var (
		reflector *cache.Reflector
		before    schema.GroupVersionResource
	)
	k.connect = func() (*cache.Reflector, error) {
		mapping, err := f.options.Mapper.RESTMapping(kind.GroupKind(), kind.Version)
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
	return &following{kind: kind, index: f.index, log: f.options.Log, read: read}
}

// retry is the pause of a reflector's own tries.
func (f *Follower) retry() cache.ReflectorOptions {
	pause := f.pause()
	return cache.ReflectorOptions{Backoff: &pause}
}

// read returns what is kept of an object of a third-party kind. Its template may
// hold what a pod's does not; that is passed over.
func (k Kind) read(one any) (object.Object, bool) {
	o, ok := one.(*unstructured.Unstructured)
	if !ok {
		return object.Object{}, false
	}
	var templates []*corev1.PodTemplateSpec
	for _, raw := range k.Templates(o.Object) {
		template := &corev1.PodTemplateSpec{}
		_ = runtime.DefaultUnstructuredConverter.FromUnstructured(raw, template) // behind a misfit is what was read
		templates = append(templates, template)
	}
	return object.New(k.GroupKind(), o, false, templates...), true
}
