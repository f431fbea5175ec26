// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// fieldManager is the one that Helm 4 itself uses.
	fieldManager = "helm"

	pollInterval = 100 * time.Millisecond
	// settleTimeout bounds the wait for a definition to be served.
	settleTimeout = time.Minute
)

// Apply applies objects on the server's side, in their order but namespaces and
// definitions of kinds first. It takes no field from another manager, as Helm does not
// unless it is told to: a conflict is an error. The namespace is made if it does not exist, and
// taken for objects of namespaced kinds that name none. The objects stay as they
// are.
func Apply(ctx context.Context, c client.Client, namespace string, objects []*unstructured.Unstructured) error {
	ordered := slices.Clone(objects)
	if !slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool { return phase(o) == namespaces && o.GetName() == namespace }) {
		ordered = append(ordered, namespaceObject(namespace))
	}
	slices.SortStableFunc(ordered, func(a, b *unstructured.Unstructured) int { return phase(a) - phase(b) })
	settled := false
	for i, object := range ordered {
		if !settled && phase(object) == others {
			if err := awaitDefinitions(ctx, c, ordered[:i]); err != nil {
				return err
			}
			settled = true
		}
		if err := apply(ctx, c, namespace, object.DeepCopy()); err != nil {
			return fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return awaitDefinitions(ctx, c, ordered)
}

// The phases of an installation.
const (
	namespaces = iota
	definitions
	others
)

func phase(object *unstructured.Unstructured) int {
	gvk := object.GroupVersionKind()
	switch {
	case gvk.Group == "" && gvk.Kind == "Namespace":
		return namespaces
	case gvk.Group == "apiextensions.k8s.io" && gvk.Kind == "CustomResourceDefinition":
		return definitions
	default:
		return others
	}
}

func namespaceObject(name string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion("v1")
	object.SetKind("Namespace")
	object.SetName(name)
	return object
}

func apply(ctx context.Context, c client.Client, namespace string, object *unstructured.Unstructured) error {
	namespaced, err := c.IsObjectNamespaced(object)
	if err != nil {
		return err
	}
	if namespaced && object.GetNamespace() == "" {
		object.SetNamespace(namespace)
	}
	return c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(fieldManager))
}

// awaitDefinitions waits until the kinds that are defined among objects are served.
func awaitDefinitions(ctx context.Context, c client.Client, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		if phase(object) != definitions {
			continue
		}
		current := &unstructured.Unstructured{}
		current.SetGroupVersionKind(object.GroupVersionKind())
		err := wait.PollUntilContextTimeout(ctx, pollInterval, settleTimeout, true, func(ctx context.Context) (bool, error) {
			if err := c.Get(ctx, client.ObjectKeyFromObject(object), current); err != nil {
				return false, err
			}
			return established(current), nil
		})
		if err != nil {
			return fmt.Errorf("waiting until %s is served: %w", object.GetName(), err)
		}
	}
	return nil
}

func established(definition *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(definition.Object, "status", "conditions")
	for _, condition := range conditions {
		fields, _ := condition.(map[string]any)
		if fields["type"] == "Established" {
			return fields["status"] == "True"
		}
	}
	return false
}
