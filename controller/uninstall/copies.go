// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
)

// marked are the labels of what Credence keeps in projects, by kind.
var marked = map[string]string{"Secret": v1alpha1.LabelCopyOf, "ConfigMap": v1alpha1.LabelCABundle}

// disposeOfCopies does what is wanted with the copies. A Secret that lacks one of the
// marks is somebody's own.
func (r *run) disposeOfCopies(ctx context.Context) []string {
	switch r.Copies {
	case ReleaseCopies:
		writer := copies.NewWriter(copies.Options{Client: r.Client})
		return r.each(ctx, "Secret", "releasing", "Released copies: %d.", func(ctx context.Context, secret *metav1.PartialObjectMetadata) error {
			c, _ := copies.Read(secret)
			return writer.Release(ctx, c)
		})
	case DeleteCopies:
		remove := func(ctx context.Context, object *metav1.PartialObjectMetadata) error {
			return r.delete(ctx, object, client.Preconditions{UID: &object.UID, ResourceVersion: &object.ResourceVersion})
		}
		return append(r.each(ctx, "Secret", "deleting", "Deleted copies: %d.", remove),
			r.each(ctx, "ConfigMap", "deleting", "Deleted ConfigMaps with certificates: %d.", remove)...)
	}
	return nil
}

// each does something to each copy of a kind.
func (r *run) each(ctx context.Context, kind, what, done string, do func(context.Context, *metav1.PartialObjectMetadata) error) []string {
	// Whoever refuses a write has seen the values, and may say anything.
	faults := &faults{what: what, words: copies.Answer}
	labelled := []client.ListOption{client.HasLabels{marked[kind]}, client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedByCredence}}
	err := r.pages(ctx, corev1.SchemeGroupVersion.WithKind(kind), func(page []metav1.PartialObjectMetadata) {
		var found []metav1.PartialObjectMetadata
		for i := range page {
			if _, is := copies.Read(&page[i]); (is || kind == "ConfigMap") && page[i].DeletionTimestamp == nil {
				found = append(found, page[i])
			}
		}
		if n := faults.each(ctx, found, do); n > 0 {
			r.do(done, n)
		}
	}, labelled...)
	if err != nil {
		return append(faults.left(), err.Error())
	}
	return faults.left()
}
