// SPDX-License-Identifier: Apache-2.0

package feed

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// CacheOptions are those of a cache that a feed follows. It keeps nothing that nobody
// reads: managed fields, of whatever it holds, and the annotations of namespaces,
// which others fill.
func CacheOptions() cache.Options {
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject:         map[client.Object]cache.ByObject{Namespace(): {Transform: slimNamespace}},
	}
}

func slimNamespace(object any) (any, error) {
	if namespace, ok := object.(*metav1.PartialObjectMetadata); ok {
		namespace.ManagedFields, namespace.Annotations = nil, nil
	}
	return object, nil
}
