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
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/usage"
)

// Index knows who uses what. usage.Index is one.
type Index interface {
	Synced() bool
	Summarize(names int, queries ...usage.Query) usage.Summary
	SummarizeBriefly(names int, queries ...usage.Query) usage.Summary
	Users(...usage.Query) usage.Users
	IsUsed(...usage.Query) bool
	UsedIn(...usage.Query) []string
	Namespaces(kind, name string) []string
	Readers(usage.Query) []usage.Reader
	Injected(...usage.Query) []usage.User
	Notify(func(usage.Change))
}

// Ask asks who names a Credential, or reads its Secret, in namespaces where its name
// means it. Who gets it through an asset reads the Secret once its pods run.
func Ask(about *v1alpha1.Credential, in ...string) usage.Query {
	return usage.Query{Name: about.Name, Secret: credential.KubernetesName(about), Namespaces: in}
}

// Counter counts the users of Credentials and assets.
type Counter struct {
	Index   Index
	Catalog *catalog.Catalog
	// Feed keeps the catalog in step; without one the catalog is complete.
	Feed *feed.Feed
	// Cache has the metadata of copies, and Credentials by IndexSecret.
	Cache client.Reader
}

// Count counts the users of a Credential whose values last changed at a time, nil
// if they never did. The answer is nil as long as the index is not complete: half
// of it looks like a credential that nobody uses.
func (c *Counter) Count(ctx context.Context, of *v1alpha1.Credential, rotatedAt *metav1.Time) (*Tally, error) {
	if !c.Index.Synced() {
		return nil, nil
	}
	subject := subjectOf(of)
	own := c.queries(subject)
	outdated, err := c.outdated(ctx, own[0], rotatedAt)
	if err != nil {
		return nil, err
	}
	return &Tally{UsedBy: c.usersOf(subject.Object, own, c.Index.Summarize), OutdatedPods: outdated}, nil
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
