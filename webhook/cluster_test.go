// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
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
	if _, ok := object.(*v1alpha1.Credential); ok {
		kind = "Credential"
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
	switch found := c.objects[what].(type) {
	case *v1alpha1.Credential:
		found.DeepCopyInto(into.(*v1alpha1.Credential))
	case *metav1.PartialObjectMetadata:
		found.DeepCopyInto(into.(*metav1.PartialObjectMetadata))
	default:
		return apierrors.NewNotFound(schema.GroupResource{Resource: "things"}, key.Name)
	}
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
