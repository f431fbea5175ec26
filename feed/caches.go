// SPDX-License-Identifier: Apache-2.0

package feed

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// CacheOptions are those of a cache that a feed follows and others read too. It
// keeps managed fields of nothing, and of namespaces the labels only.
func CacheOptions() cache.Options {
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject:         map[client.Object]cache.ByObject{Namespace(): {Transform: slimNamespace}},
	}
}

// LeanCacheOptions are those of a cache that nobody reads but the feed: of
// Credentials and assets, too, it keeps only what the catalog reads.
func LeanCacheOptions() cache.Options {
	options := CacheOptions()
	options.ByObject[&v1alpha1.Credential{}] = cache.ByObject{Transform: slimCredential}
	for _, kind := range []client.Object{&v1alpha1.Environment{}, &v1alpha1.DataSource{}, &v1alpha1.WorkloadTemplate{}} {
		options.ByObject[kind] = cache.ByObject{Transform: slimAsset}
	}
	return options
}

func slimNamespace(object any) (any, error) {
	if namespace, ok := object.(*metav1.PartialObjectMetadata); ok {
		namespace.ManagedFields, namespace.Annotations = nil, nil
	}
	return object, nil
}

// slimCredential leaves out what people wrote for others, and of the status what is
// told to people: who uses it and what stands in the way where.
func slimCredential(object any) (any, error) {
	if c, ok := object.(*v1alpha1.Credential); ok {
		slimMeta(&c.ObjectMeta)
		c.Spec.Description = ""
		ready := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady)
		c.Status.UsedBy, c.Status.Issues, c.Status.Conditions = v1alpha1.UsedBy{}, nil, nil
		if ready != nil {
			c.Status.Conditions = []metav1.Condition{{Type: ready.Type, Status: ready.Status, Reason: ready.Reason}}
		}
	}
	return object, nil
}

// slimAsset leaves out what people wrote for others, and what is told to people: all
// of the status.
func slimAsset(object any) (any, error) {
	switch a := object.(type) {
	case *v1alpha1.Environment:
		slimMeta(&a.ObjectMeta)
		a.Spec.Description, a.Status = "", v1alpha1.AssetStatus{}
	case *v1alpha1.DataSource:
		slimMeta(&a.ObjectMeta)
		a.Spec.Description, a.Status = "", v1alpha1.AssetStatus{}
	case *v1alpha1.WorkloadTemplate:
		slimMeta(&a.ObjectMeta)
		a.Spec.Description, a.Status = "", v1alpha1.AssetStatus{}
	}
	return object, nil
}

func slimMeta(meta *metav1.ObjectMeta) {
	meta.ManagedFields, meta.Annotations, meta.Labels = nil, nil, nil
}
