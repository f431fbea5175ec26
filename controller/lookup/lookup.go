// SPDX-License-Identifier: Apache-2.0

// Package lookup reads what several controllers need to know of the cluster:
// Credentials, their sources and copies, and which namespaces are being deleted. It
// decides and writes nothing, and must not import reconcilers, webhooks or the
// injector.
package lookup

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

// Fields that the cache is indexed by.
const (
	IndexName   = "credence.name"   // of Credentials, across namespaces
	IndexSource = "credence.source" // of Credentials, within a namespace
	IndexUID    = "credence.uid"    // of Credentials
	IndexCopyOf = "credence.copyOf" // of copies: the Credential's name
	IndexEnding = "credence.ending" // of namespaces: "true" if they are being deleted
)

// Cluster is read from caches for the most part, and live where an answer may not
// be late.
type Cluster struct {
	// Cache has Credentials and the metadata of namespaces and copies, with the indexes
	// above.
	Cache client.Reader
	// Live reads without a cache.
	Live client.Reader
}

// Shared has the cache hand out its own objects, which must not be changed.
const Shared = client.UnsafeDisableDeepCopy

// Credentials returns Credentials from the cache. They are its own, and must not be
// changed.
func (c Cluster) Credentials(ctx context.Context, options ...client.ListOption) ([]v1alpha1.Credential, error) {
	var list v1alpha1.CredentialList
	if err := c.Cache.List(ctx, &list, append(options, Shared)...); err != nil {
		return nil, fmt.Errorf("listing Credentials: %w", err)
	}
	return list.Items, nil
}

// Knows says whether the cache has the Credential of a UID.
func (c Cluster) Knows(ctx context.Context, uid types.UID) (bool, error) {
	list, err := c.Credentials(ctx, client.MatchingFields{IndexUID: string(uid)})
	return len(list) > 0, err
}

// UIDs returns the UIDs of all Credentials from the cache.
func (c Cluster) UIDs(ctx context.Context) (sets.Set[types.UID], error) {
	all, err := c.Credentials(ctx)
	uids := make(sets.Set[types.UID], len(all))
	for i := range all {
		uids.Insert(all[i].UID)
	}
	return uids, err
}

// NamesNow returns the names of Credentials by their UIDs, live. An answer counts
// only if it is about Credentials: one that says that there is no such resource is
// an error.
func (c Cluster) NamesNow(ctx context.Context, options ...client.ListOption) (map[types.UID]string, error) {
	list := &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: "CredentialList"}}
	if err := c.Live.List(ctx, list, options...); err != nil {
		return nil, fmt.Errorf("asking for Credentials: %w", err)
	}
	names := make(map[types.UID]string, len(list.Items))
	for i := range list.Items {
		names[list.Items[i].UID] = list.Items[i].Name
	}
	return names, nil
}

// Source reads a source with its values, nil if it does not exist.
func (c Cluster) Source(ctx context.Context, key types.NamespacedName) (*corev1.Secret, error) {
	var secret corev1.Secret
	if err := c.Live.Get(ctx, key, &secret); apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", key, err)
	}
	return &secret, nil
}

// Copies returns all copies, from the cache.
func (c Cluster) Copies(ctx context.Context) ([]copies.Copy, error) {
	return listCopies(ctx, c.Cache, Shared)
}

// HasOther says whether a Secret exists that is no copy of a Credential, live. Of what
// is in it nothing is read.
func (c Cluster) HasOther(ctx context.Context, key types.NamespacedName, of types.UID) (bool, error) {
	secret := copies.Secret()
	if err := c.Live.Get(ctx, key, secret); apierrors.IsNotFound(err) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("asking for Secret %s: %w", key, err)
	}
	found, ours := copies.Read(secret)
	return !ours || found.CredentialUID != of, nil
}

// CopiesOf returns the copies of all Credentials of a name, from the cache.
func (c Cluster) CopiesOf(ctx context.Context, name string) ([]copies.Copy, error) {
	return listCopies(ctx, c.Cache, client.MatchingFields{IndexCopyOf: name}, Shared)
}

// CopiesNow is CopiesOf, live.
func (c Cluster) CopiesNow(ctx context.Context, name string) ([]copies.Copy, error) {
	return listCopies(ctx, c.Live, client.MatchingLabels{v1alpha1.LabelCopyOf: name})
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

// Terminating returns the namespaces that are being deleted.
func (c Cluster) Terminating(ctx context.Context) (map[string]bool, error) {
	list := &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NamespaceList"}}
	if err := c.Cache.List(ctx, list, client.MatchingFields{IndexEnding: "true"}, Shared); err != nil {
		return nil, fmt.Errorf("listing namespaces: %w", err)
	}
	names := make(map[string]bool, len(list.Items))
	for i := range list.Items {
		names[list.Items[i].Name] = true
	}
	return names, nil
}

// IsTerminating says whether a namespace is being deleted.
func (c Cluster) IsTerminating(ctx context.Context, name string) (bool, error) {
	namespace := feed.Namespace()
	if err := c.Cache.Get(ctx, types.NamespacedName{Name: name}, namespace); err != nil {
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	}
	return !namespace.DeletionTimestamp.IsZero(), nil
}
