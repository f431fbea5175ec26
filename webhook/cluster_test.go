// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// cluster is what an API server has. It counts what it is asked.
type cluster struct {
	mu      sync.Mutex
	objects map[string]client.Object
	reads   []string
	// before is called before each read is answered, if it is set.
	before func(ctx context.Context, what string) error
}

func describe(object client.Object, key types.NamespacedName) string {
	kind := object.GetObjectKind().GroupVersionKind().Kind
	if _, ok := object.(*metav1.PartialObjectMetadata); !ok {
		kind = reflect.TypeOf(object).Elem().Name()
	}
	return strings.TrimSuffix(fmt.Sprintf("%s %s/%s", kind, key.Namespace, key.Name), "/")
}

func (c *cluster) create(objects ...client.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, object := range objects {
		c.objects[describe(object, client.ObjectKeyFromObject(object))] = object
	}
}

func (c *cluster) remove(object client.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.objects, describe(object, client.ObjectKeyFromObject(object)))
}

func (c *cluster) Get(ctx context.Context, key types.NamespacedName, into client.Object, _ ...client.GetOption) error {
	what := describe(into, key)
	c.mu.Lock()
	c.reads = append(c.reads, what)
	before := c.before
	c.mu.Unlock()
	if before != nil {
		if err := before(ctx, what); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.objects[what]
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "things"}, key.Name)
	}
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(found.DeepCopyObject()).Elem())
	return nil
}

// List is not for admission.
func (c *cluster) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("admission must not list")
}

// asked returns what was read since it was asked last.
func (c *cluster) asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	reads := c.reads
	c.reads = nil
	return reads
}
