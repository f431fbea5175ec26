// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"context"
	"encoding/json"
	"fmt"

	"gomodules.xyz/jsonpatch/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Withdraw deletes a copy. It is the only place where copies are deleted. It makes
// sure that the copy is just as it was seen: one that was changed or made again
// meanwhile is a conflict. Whether a live pod still refers to it is not asked yet,
// here or anywhere else; this is where that belongs.
func (w *Writer) Withdraw(ctx context.Context, c Copy) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := client.IgnoreNotFound(w.Client.Delete(ctx, named(c.NamespacedName), client.Preconditions{
		UID:             &c.UID,
		ResourceVersion: &c.ResourceVersion,
	}))
	w.count("delete", err)
	if err != nil {
		return fmt.Errorf("deleting copy %s: %w", c.NamespacedName, err)
	}
	return nil
}

// Release makes a copy an ordinary Secret: it takes our marks off and leaves the
// rest.
func (w *Writer) Release(ctx context.Context, c Copy) error {
	err := w.patch(ctx, named(c.NamespacedName), append(c.unchanged(),
		jsonpatch.NewOperation("remove", pointer("metadata", "labels", v1alpha1.LabelCopyOf), nil),
		jsonpatch.NewOperation("remove", pointer("metadata", "labels", v1alpha1.LabelManagedBy), nil),
		jsonpatch.NewOperation("remove", pointer("metadata", "annotations", v1alpha1.AnnotationCopyOfUID), nil),
		jsonpatch.NewOperation("remove", pointer("metadata", "annotations", v1alpha1.AnnotationFingerprint), nil),
		// To remove what is not there is an error, so it is there first.
		jsonpatch.NewOperation("add", pointer("metadata", "annotations", v1alpha1.AnnotationRotatedAt), "released"),
		jsonpatch.NewOperation("remove", pointer("metadata", "annotations", v1alpha1.AnnotationRotatedAt), nil),
	))
	err = client.IgnoreNotFound(err)
	w.count("release", err)
	if err != nil {
		return fmt.Errorf("releasing copy %s: %w", c.NamespacedName, err)
	}
	return nil
}

// unchanged tests that a Secret still is the copy that was seen: the same object,
// with the marks that make it ours, and written by nobody of us meanwhile.
func (c Copy) unchanged() []jsonpatch.Operation {
	return []jsonpatch.Operation{
		jsonpatch.NewOperation("test", pointer("metadata", "uid"), c.UID),
		jsonpatch.NewOperation("test", pointer("metadata", "labels", v1alpha1.LabelCopyOf), c.CredentialName),
		jsonpatch.NewOperation("test", pointer("metadata", "labels", v1alpha1.LabelManagedBy), v1alpha1.ManagedByCredence),
		jsonpatch.NewOperation("test", pointer("metadata", "annotations", v1alpha1.AnnotationCopyOfUID), c.CredentialUID),
		jsonpatch.NewOperation("test", pointer("metadata", "annotations", v1alpha1.AnnotationFingerprint), c.Fingerprint),
	}
}

// patch sends a JSON patch and leaves in secret what the API server answers: the
// metadata, without the values.
func (w *Writer) patch(ctx context.Context, secret *metav1.PartialObjectMetadata, operations []jsonpatch.Operation) error {
	body, err := json.Marshal(operations)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return w.Client.Patch(ctx, secret, client.RawPatch(types.JSONPatchType, body), client.FieldOwner(v1alpha1.FieldManager))
}
