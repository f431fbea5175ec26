// SPDX-License-Identifier: Apache-2.0

package strays

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// ReleaseFor is how long a release lasts that somebody asks for by a command.
const ReleaseFor = 30 * time.Minute

// Release has the controller remove copies that it holds, until a time that is at most
// an hour ahead. It needs the right to patch the controller's Lease.
func Release(ctx context.Context, c client.Writer, lease types.NamespacedName, until time.Time) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"annotations": map[string]string{v1alpha1.AnnotationReleaseStrays: until.UTC().Format(time.RFC3339)},
	}})
	if err != nil {
		return err
	}
	object := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}}
	object.Namespace, object.Name = lease.Namespace, lease.Name
	if err := c.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("annotating Lease %s: %w", lease, err)
	}
	return nil
}
