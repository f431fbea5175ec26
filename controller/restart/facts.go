// SPDX-License-Identifier: Apache-2.0

package restart

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/usage"
)

// Index knows which pods read a credential through environment variables.
// usage.Index is one.
type Index interface {
	Synced() bool
	Readers(usage.Query) []usage.Reader
	Notify(func(usage.Change))
}

// facts reads what is decided from. None of it costs a request.
type facts struct {
	index   Index
	catalog *catalog.Catalog
	// cache has the Credentials and the metadata of copies.
	cache client.Reader
}

// asks says whether a credential has values, and workloads that are to be restarted
// when those change. One that is withdrawn has none, though its fingerprint stays.
func asks(c *v1alpha1.Credential) bool {
	return c.Spec.Rotation != nil && c.Spec.Rotation.Restart && c.DeletionTimestamp.IsZero() && len(c.Status.Keys) > 0
}

// asking returns the credentials that ask.
func (f *facts) asking(ctx context.Context) ([]*v1alpha1.Credential, error) {
	var list v1alpha1.CredentialList
	if err := f.cache.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing Credentials: %w", err)
	}
	var asking []*v1alpha1.Credential
	for i := range list.Items {
		if asks(&list.Items[i]) {
			asking = append(asking, &list.Items[i])
		}
	}
	return asking, nil
}

// change returns the last change of a credential's values in a namespace, false if
// there was none, or if its name means another one there.
func (f *facts) change(ctx context.Context, of *v1alpha1.Credential, namespace string) (change, bool, error) {
	c := change{of: of, credential: client.ObjectKeyFromObject(of), fingerprint: of.Status.Fingerprint}
	place, _ := f.catalog.Place(namespace)
	if meant, ok := f.catalog.Lookup(place, of.Name); !ok || meant.NamespacedName != c.credential {
		return c, false, nil
	}
	if of.Status.RotatedAt != nil {
		c.at = of.Status.RotatedAt.Time
	}
	if of.Spec.Scope.Level == v1alpha1.ScopeProject {
		// Pods read the source itself, so that it has to be there, and be valid.
		c.ready = meta.IsStatusConditionTrue(of.Status.Conditions, v1alpha1.ConditionReady)
		return c, !c.at.IsZero(), nil
	}
	secret := copies.Secret()
	key := types.NamespacedName{Namespace: namespace, Name: credential.KubernetesName(of)}
	if err := f.cache.Get(ctx, key, secret, client.UnsafeDisableDeepCopy); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return c, false, nil
		}
		return c, false, fmt.Errorf("reading copy %s: %w", key, err)
	}
	found, ours := copies.Read(secret)
	c.ready = ours && found.CredentialUID == of.UID && found.Fingerprint == of.Status.Fingerprint
	if c.ready && found.RotatedAt.After(c.at) { // pods that started in between have the old values
		c.at = found.RotatedAt
	}
	return c, !c.at.IsZero(), nil
}

// readers returns the pods that read a credential in a namespace.
func (f *facts) readers(of *v1alpha1.Credential, namespace string) []usage.Reader {
	return f.index.Readers(users.Ask(of, namespace))
}

// changes returns the changes of all credentials that a workload's live pods read,
// and whether any of them makes a pod outdated.
func (f *facts) changes(ctx context.Context, w usage.Workload) (changes []change, outdated bool, err error) {
	asking, err := f.asking(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, one := range asking {
		c, changed, err := f.change(ctx, one, w.Namespace)
		if err != nil {
			return nil, false, err
		}
		if !changed {
			continue
		}
		reads := false
		for _, reader := range f.readers(one, w.Namespace) {
			if reader.Workload.UID == w.UID {
				reads = true
				c.outdated = c.outdated || reader.IsOutdated(c.at)
			}
		}
		if reads {
			changes = append(changes, c)
			outdated = outdated || c.outdated
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return strings.Compare(a.credential.String(), b.credential.String()) })
	return changes, outdated, nil
}
