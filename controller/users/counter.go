// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/usage"
)

// Index knows who uses what. usage.Index is one.
type Index interface {
	Synced() bool
	Users(usage.Query) usage.Users
	IsUsed(usage.Query) bool
	Readers(usage.Query) []usage.Reader
	Injected(usage.Query) []usage.User
	Notify(func(usage.Change))
}

// Ask asks about a Credential in namespaces where its name means it.
func Ask(about *v1alpha1.Credential, in ...string) usage.Query {
	return usage.Query{Name: about.Name, Secret: credential.KubernetesName(about), Namespaces: in}
}

// Counter counts the users of Credentials.
type Counter struct {
	Index   Index
	Catalog *catalog.Catalog
	// Cache has the metadata of copies, and Credentials by IndexSecret.
	Cache client.Reader
}

// Query asks about a Credential, in the projects where its name means it.
func (c *Counter) Query(of *v1alpha1.Credential) usage.Query {
	self := client.ObjectKeyFromObject(of)
	query := Ask(of)
	for _, place := range c.Catalog.Reach(of.Spec.Scope, of.Namespace) {
		if meant, ok := c.Catalog.Lookup(place, of.Name); ok && meant.NamespacedName == self {
			query.Namespaces = append(query.Namespaces, place.Namespace)
		}
	}
	return query
}

// Count counts the users of a Credential whose values last changed at a time, nil
// if they never did. The answer is nil as long as the index is not complete: half
// of it looks like a credential that nobody uses.
func (c *Counter) Count(ctx context.Context, of *v1alpha1.Credential, rotatedAt *metav1.Time) (*Tally, error) {
	if !c.Index.Synced() {
		return nil, nil
	}
	query, taken := c.split(of)
	found := c.Index.Users(query)
	if len(taken.Namespaces) > 0 {
		found = join(found, c.Index.Users(taken))
	}
	tally := newTally(found)
	outdated, err := c.outdated(ctx, query, rotatedAt)
	if err != nil {
		return nil, err
	}
	tally.OutdatedPods = outdated
	return tally, nil
}

// outdated counts the pods with a container that reads the credential through
// environment variables and started before the values last changed.
func (c *Counter) outdated(ctx context.Context, query usage.Query, rotatedAt *metav1.Time) (count int32, err error) {
	var rotated time.Time
	if rotatedAt != nil {
		rotated = rotatedAt.Time
	}
	written := map[string]time.Time{}
	for _, reader := range c.Index.Readers(query) {
		last := rotated
		if !reader.IsOutdated(last) { // the copy may have been written later
			at, known := written[reader.Pod.Namespace]
			if !known {
				if at, err = c.writtenAt(ctx, types.NamespacedName{Namespace: reader.Pod.Namespace, Name: query.Secret}); err != nil {
					return 0, err
				}
				written[reader.Pod.Namespace] = at
			}
			last = at
		}
		if reader.IsOutdated(last) {
			count++
		}
	}
	return count, nil
}

// writtenAt returns when the values of a copy last changed, zero if they never
// did or there is none.
func (c *Counter) writtenAt(ctx context.Context, key types.NamespacedName) (time.Time, error) {
	secret := copies.Secret()
	if err := c.Cache.Get(ctx, key, secret, client.UnsafeDisableDeepCopy); err != nil {
		if err := client.IgnoreNotFound(err); err != nil {
			return time.Time{}, fmt.Errorf("reading copy %s: %w", key, err)
		}
		return time.Time{}, nil
	}
	found, _ := copies.Read(secret)
	return found.RotatedAt, nil
}

// IndexSecret is the field by which the cache of Credentials must be indexed: the
// name of the Secret that pods refer to.
const IndexSecret = "credence.secret"

// Concerned returns the Credentials that a change of the index is about.
func (c *Counter) Concerned(ctx context.Context, change usage.Change) ([]types.NamespacedName, error) {
	place, _ := c.Catalog.Place(change.Namespace)
	if !place.IsProject() {
		return nil, nil
	}
	var keys []types.NamespacedName
	for _, name := range change.Credentials {
		if meant, ok := c.Catalog.Lookup(place, name); ok {
			keys = append(keys, meant.NamespacedName)
		}
	}
	for _, secret := range change.Secrets {
		var list v1alpha1.CredentialList
		if err := c.Cache.List(ctx, &list, client.MatchingFields{IndexSecret: secret}, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("listing the Credentials of Secret %s/%s: %w", change.Namespace, secret, err)
		}
		for i := range list.Items {
			key := client.ObjectKeyFromObject(&list.Items[i])
			if meant, ok := c.Catalog.Lookup(place, key.Name); ok && meant.NamespacedName == key {
				keys = append(keys, key)
			}
		}
	}
	return keys, nil
}
