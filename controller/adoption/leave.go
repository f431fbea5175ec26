// SPDX-License-Identifier: Apache-2.0

package adoption

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"gomodules.xyz/jsonpatch/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
)

// Leave makes an ordinary Secret of the source that was made with a Credential, so that
// it does not go with it. One that was not made with it stays as it is.
func Leave(ctx context.Context, live client.Reader, writer client.Writer, c *v1alpha1.Credential) error {
	key := types.NamespacedName{Namespace: c.Namespace, Name: c.Spec.SecretRef.Name}
	secret := copies.Secret()
	if err := live.Get(ctx, key, secret); err != nil {
		if err = client.IgnoreNotFound(err); err != nil {
			return answered("reading Secret "+key.String(), err)
		}
		return nil
	}
	if secret.Labels[v1alpha1.LabelSourceOf] != c.Name {
		return nil
	}
	owners := slices.DeleteFunc(secret.OwnerReferences, func(owner metav1.OwnerReference) bool { return owner.UID == c.UID })
	body, err := json.Marshal([]jsonpatch.Operation{
		jsonpatch.NewOperation("test", "/metadata/uid", secret.UID),
		jsonpatch.NewOperation("test", "/metadata/resourceVersion", secret.ResourceVersion),
		jsonpatch.NewOperation("add", "/metadata/ownerReferences", owners),
		jsonpatch.NewOperation("remove", "/metadata/labels/credence.dev~1source-of", nil),
	})
	if err != nil {
		return fmt.Errorf("leaving Secret %s: %w", key, err)
	}
	err = writer.Patch(ctx, secret, client.RawPatch(types.JSONPatchType, body), client.FieldOwner(v1alpha1.FieldManager))
	if err = client.IgnoreNotFound(err); err != nil {
		return answered("leaving Secret "+key.String(), err)
	}
	return nil
}
