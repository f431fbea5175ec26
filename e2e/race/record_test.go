// SPDX-License-Identifier: Apache-2.0

package race

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
)

// recorder writes down what the API server stores.
type recorder struct {
	*testing.T
	mu  sync.Mutex
	log []event
}

// record follows everything of a race until the context ends. Nothing of it must be
// there yet.
func (r *recorder) record(ctx context.Context, c client.WithWatch) {
	r.Helper()
	for _, kind := range []struct {
		list    client.ObjectList
		options []client.ListOption
	}{
		{&corev1.PodList{}, nil},
		{&corev1.SecretList{}, []client.ListOption{client.HasLabels{v1alpha1.LabelCopyOf}}},
		{&v1alpha1.CredentialList{}, nil},
		{&appsv1.DeploymentList{}, nil},
	} {
		if err := c.List(ctx, kind.list, kind.options...); err != nil {
			r.Fatal(err)
		}
		begin := kind.list.GetResourceVersion()
		watcher, err := watchtools.NewRetryWatcherWithContext(ctx, begin, &cache.ListWatch{
			WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
				list := kind.list.DeepCopyObject().(client.ObjectList)
				return c.Watch(ctx, list, append(kind.options, &client.ListOptions{Raw: &options})...)
			},
		})
		if err != nil {
			r.Fatal(err)
		}
		go func() {
			for e := range watcher.ResultChan() {
				if object, ok := e.Object.(client.Object); ok && e.Type != watch.Bookmark {
					r.take(object, e.Type == watch.Deleted)
				} else if e.Type == watch.Error && ctx.Err() == nil {
					r.Errorf("the log of %T has a gap: %v", kind.list, e.Object)
				}
			}
		}()
	}
}

func (r *recorder) take(object client.Object, gone bool) {
	e := event{at: time.Now(), namespace: object.GetNamespace(), name: object.GetName(), uid: string(object.GetUID()), gone: gone}
	var err error
	if e.revision, err = strconv.ParseUint(object.GetResourceVersion(), 10, 64); err != nil {
		r.Errorf("a revision that is no number: %v", err)
	}
	switch o := object.(type) {
	case *corev1.Pod:
		e.kind, e.refers = aPod, refersTo(&o.Spec)
		e.injected = o.Annotations[v1alpha1.AnnotationInjected] != ""
		e.gone = e.gone || o.Status.Phase == corev1.PodSucceeded || o.Status.Phase == corev1.PodFailed
	case *corev1.Secret:
		e.kind, e.owner = aCopy, o.Annotations[v1alpha1.AnnotationCopyOfUID]
	case *v1alpha1.Credential:
		e.kind, e.secret = aCredential, credential.KubernetesName(o)
		e.deleting = o.DeletionTimestamp != nil
		e.onDemand = o.Spec.Propagation == v1alpha1.PropagateOnDemand
	case *appsv1.Deployment:
		e.kind = aWorkload
		if name := o.Spec.Template.Annotations[v1alpha1.AnnotationCredentials]; name != "" {
			e.refers = []string{copyName(name)}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, e)
}

// so far returns what was recorded.
func (r *recorder) soFar() []event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]event(nil), r.log...)
}

// copyName is what the copies of a credential of this race are called.
func copyName(name string) string { return copyPrefix + name }

const copyPrefix = "genericsecret-"

// refersTo are the copies that a pod of this race reads.
func refersTo(spec *corev1.PodSpec) (names []string) {
	for _, container := range spec.Containers {
		for _, from := range container.EnvFrom {
			if from.SecretRef != nil && strings.HasPrefix(from.SecretRef.Name, copyPrefix) {
				names = append(names, from.SecretRef.Name)
			}
		}
	}
	return names
}
