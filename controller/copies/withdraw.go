// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Withdraw deletes a copy. It is the only place where copies are deleted, so what
// must be sure before one goes is decided here. The copy must be just as it was
// seen: one that was changed or made again meanwhile is a conflict.
func (w *Writer) Withdraw(ctx context.Context, c Copy) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := client.IgnoreNotFound(w.Client.Delete(ctx, named(c.NamespacedName), client.Preconditions{
		UID:             &c.UID,
		ResourceVersion: &c.ResourceVersion,
	}))
	w.count("delete", err)
	w.settled.Delete(c.UID)
	if err != nil {
		return fmt.Errorf("deleting copy %s: %w", c.NamespacedName, err)
	}
	return nil
}

// Release makes a copy an ordinary Secret: it takes our marks off and leaves the
// rest.
func (w *Writer) Release(ctx context.Context, c Copy) error {
	err := w.patch(ctx, named(c.NamespacedName), append(c.unchanged(),
		operation{Op: "remove", Path: pointer("metadata", "labels", v1alpha1.LabelCopyOf)},
		operation{Op: "remove", Path: pointer("metadata", "labels", v1alpha1.LabelManagedBy)},
		operation{Op: "remove", Path: pointer("metadata", "annotations", v1alpha1.AnnotationCopyOfUID)},
		operation{Op: "remove", Path: pointer("metadata", "annotations", v1alpha1.AnnotationFingerprint)},
		// To remove what is not there is an error, so it is there first.
		operation{Op: "add", Path: pointer("metadata", "annotations", v1alpha1.AnnotationRotatedAt), Value: "released"},
		operation{Op: "remove", Path: pointer("metadata", "annotations", v1alpha1.AnnotationRotatedAt)},
	))
	err = client.IgnoreNotFound(err)
	w.count("release", err)
	if err != nil {
		return fmt.Errorf("releasing copy %s: %w", c.NamespacedName, err)
	}
	return nil
}

// operation is one of a JSON patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// unchanged tests that a Secret still is the copy that was seen: the same object,
// with the marks that make it ours, and written by nobody of us meanwhile.
func (c Copy) unchanged() []operation {
	return []operation{
		{Op: "test", Path: pointer("metadata", "uid"), Value: c.UID},
		{Op: "test", Path: pointer("metadata", "labels", v1alpha1.LabelCopyOf), Value: c.CredentialName},
		{Op: "test", Path: pointer("metadata", "labels", v1alpha1.LabelManagedBy), Value: v1alpha1.ManagedByCredence},
		{Op: "test", Path: pointer("metadata", "annotations", v1alpha1.AnnotationCopyOfUID), Value: c.CredentialUID},
		{Op: "test", Path: pointer("metadata", "annotations", v1alpha1.AnnotationFingerprint), Value: c.Fingerprint},
	}
}

// patch sends a JSON patch and leaves in secret what the API server answers: the
// metadata, without the values.
func (w *Writer) patch(ctx context.Context, secret *metav1.PartialObjectMetadata, operations []operation) error {
	body, err := json.Marshal(operations)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return w.Client.Patch(ctx, secret, client.RawPatch(types.JSONPatchType, body), client.FieldOwner(v1alpha1.FieldManager))
}
