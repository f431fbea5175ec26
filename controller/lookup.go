// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/feed"
)

// lookup reads what the controllers need to know: most of it from caches, and
// live what may not be late.
type lookup struct {
	cache client.Reader
	live  client.Reader
}

// shared has the cache hand out its own objects, which must not be changed.
const shared = client.UnsafeDisableDeepCopy

// credentials returns Credentials from the cache.
func (l lookup) credentials(ctx context.Context, options ...client.ListOption) ([]v1alpha1.Credential, error) {
	var list v1alpha1.CredentialList
	if err := l.cache.List(ctx, &list, append(options, shared)...); err != nil {
		return nil, fmt.Errorf("listing Credentials: %w", err)
	}
	return list.Items, nil
}

// knows says whether the cache has the Credential of a UID.
func (l lookup) knows(ctx context.Context, uid types.UID) (bool, error) {
	list, err := l.credentials(ctx, client.MatchingFields{indexUID: string(uid)})
	return len(list) > 0, err
}

// uids returns the UIDs of all Credentials from the cache.
func (l lookup) uids(ctx context.Context) (sets.Set[types.UID], error) {
	all, err := l.credentials(ctx)
	uids := make(sets.Set[types.UID], len(all))
	for i := range all {
		uids.Insert(all[i].UID)
	}
	return uids, err
}

// namesNow returns the names of Credentials by their UIDs, live. An answer counts
// only if it is about Credentials: one that says that there is no such resource is
// an error.
func (l lookup) namesNow(ctx context.Context, options ...client.ListOption) (map[types.UID]string, error) {
	list := &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: "CredentialList"}}
	if err := l.live.List(ctx, list, options...); err != nil {
		return nil, fmt.Errorf("asking for Credentials: %w", err)
	}
	names := make(map[types.UID]string, len(list.Items))
	for i := range list.Items {
		names[list.Items[i].UID] = list.Items[i].Name
	}
	return names, nil
}

// source reads a source with its values, nil if it does not exist.
func (l lookup) source(ctx context.Context, key types.NamespacedName) (*corev1.Secret, error) {
	var secret corev1.Secret
	if err := l.live.Get(ctx, key, &secret); apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", key, err)
	}
	return &secret, nil
}

// copiesOf returns the copies of all Credentials of a name, from the cache.
func (l lookup) copiesOf(ctx context.Context, name string) ([]copies.Copy, error) {
	return listCopies(ctx, l.cache, client.MatchingFields{indexCopyOf: name}, shared)
}

// copiesNow is copiesOf, live.
func (l lookup) copiesNow(ctx context.Context, name string) ([]copies.Copy, error) {
	return listCopies(ctx, l.live, client.MatchingLabels{v1alpha1.LabelCopyOf: name})
}

func listCopies(ctx context.Context, from client.Reader, options ...client.ListOption) ([]copies.Copy, error) {
	list := copies.Secrets()
	if err := from.List(ctx, list, options...); err != nil {
		return nil, fmt.Errorf("listing copies: %w", err)
	}
	found := make([]copies.Copy, 0, len(list.Items))
	for i := range list.Items {
		if c, ours := copies.Read(&list.Items[i]); ours {
			found = append(found, c)
		}
	}
	return found, nil
}

// terminating returns the namespaces that are being deleted.
func (l lookup) terminating(ctx context.Context) (map[string]bool, error) {
	list := &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NamespaceList"}}
	if err := l.cache.List(ctx, list, client.MatchingFields{indexEnding: "true"}, shared); err != nil {
		return nil, fmt.Errorf("listing namespaces: %w", err)
	}
	names := make(map[string]bool, len(list.Items))
	for i := range list.Items {
		names[list.Items[i].Name] = true
	}
	return names, nil
}

// isTerminating says whether a namespace is being deleted.
func (l lookup) isTerminating(ctx context.Context, name string) (bool, error) {
	namespace := feed.Namespace()
	if err := l.cache.Get(ctx, types.NamespacedName{Name: name}, namespace); err != nil {
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	}
	return !namespace.DeletionTimestamp.IsZero(), nil
}
