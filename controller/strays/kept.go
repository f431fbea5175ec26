// SPDX-License-Identifier: Apache-2.0

package strays

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
)

// Kept knows the Credentials that were deleted with force-delete: keep and of which
// copies may still have our marks, because something kept them from being taken
// off. Such a Credential may go before its copies are released, with its namespace
// or when somebody strips its finalizer, and nobody else would know that they are
// to stay. It is written on the controller's Lease, to outlast the process.
type Kept struct {
	// Client writes the Lease, Live reads it without a cache.
	Client client.Writer
	Live   client.Reader
	// Lease is the controller's.
	Lease types.NamespacedName

	mu sync.Mutex
	// noted are those of which it is known that they are written.
	noted map[types.UID]bool
	// none says that there were none when the Lease was last read.
	none bool
}

// Names returns the names of those Credentials by their UIDs.
func (k *Kept) Names(ctx context.Context) (map[types.UID]string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	lease, err := k.read(ctx)
	if err != nil {
		return nil, err
	}
	names, err := namesOn(lease)
	if err != nil {
		return nil, fmt.Errorf("reading Lease %s: annotation %s: %w; nothing is removed that may have been kept: mend or remove it",
			k.Lease, v1alpha1.AnnotationKeptCopies, err)
	}
	k.none = len(names) == 0
	return names, nil
}

// mayHave says whether it is worth reading them.
func (k *Kept) mayHave() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.none
}

// Add notes a Credential.
func (k *Kept) Add(ctx context.Context, c *v1alpha1.Credential) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.noted[c.UID] {
		return nil
	}
	k.none = false
	if err := k.change(ctx, func(names map[types.UID]string) { names[c.UID] = c.Name }); err != nil {
		return err
	}
	if k.noted == nil {
		k.noted = map[types.UID]bool{}
	}
	k.noted[c.UID] = true
	return nil
}

// drop forgets Credentials of which no copy is left.
func (k *Kept) drop(ctx context.Context, done []types.UID) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, uid := range done {
		delete(k.noted, uid)
	}
	return k.change(ctx, func(names map[types.UID]string) {
		for _, uid := range done {
			delete(names, uid)
		}
	})
}

// change rewrites the annotation. The leader election renews the Lease meanwhile,
// so that a conflict is nothing special.
func (k *Kept) change(ctx context.Context, apply func(map[types.UID]string)) error {
	again := func(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }
	err := retry.OnError(retry.DefaultBackoff, again, func() error {
		lease, err := k.read(ctx)
		if err != nil {
			return err
		}
		names, err := namesOn(lease)
		if err != nil {
			names = map[types.UID]string{} // what cannot be read is of no use to anybody
		}
		apply(names)
		if err := writeNames(lease, names); err != nil {
			return err
		}
		if lease.ResourceVersion == "" {
			return k.Client.Create(ctx, lease, client.FieldOwner(v1alpha1.FieldManager))
		}
		return k.Client.Update(ctx, lease, client.FieldOwner(v1alpha1.FieldManager))
	})
	if err != nil {
		return fmt.Errorf("noting on Lease %s which copies are kept: %w", k.Lease, err)
	}
	return nil
}

// read reads the Lease; one that does not exist has no resourceVersion.
func (k *Kept) read(ctx context.Context) (*coordinationv1.Lease, error) {
	lease := &coordinationv1.Lease{}
	if err := k.Live.Get(ctx, k.Lease, lease); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("reading Lease %s: %w", k.Lease, err)
	}
	lease.Namespace, lease.Name = k.Lease.Namespace, k.Lease.Name
	return lease, nil
}

func namesOn(lease *coordinationv1.Lease) (map[types.UID]string, error) {
	names := map[types.UID]string{}
	text, ok := lease.Annotations[v1alpha1.AnnotationKeptCopies]
	if !ok {
		return names, nil
	}
	err := json.Unmarshal([]byte(text), &names)
	return names, err
}

func writeNames(lease *coordinationv1.Lease, names map[types.UID]string) error {
	if len(names) == 0 {
		delete(lease.Annotations, v1alpha1.AnnotationKeptCopies)
		return nil
	}
	text, err := json.Marshal(names)
	if err != nil {
		return err
	}
	if lease.Annotations == nil {
		lease.Annotations = map[string]string{}
	}
	lease.Annotations[v1alpha1.AnnotationKeptCopies] = string(text)
	return nil
}

// releaseKept makes ordinary Secrets of the copies that are to stay, and forgets
// the Credentials that have none any more. No guard holds that: nobody loses
// anything. It says when to come back.
func (r *remover) releaseKept(ctx context.Context, found findings) (time.Duration, error) {
	var next time.Duration
	var done []types.UID
	for uid, all := range found.kept {
		if len(all) == 0 {
			none, err := r.hasNone(ctx, uid, found.names[uid])
			if err != nil {
				return 0, err
			}
			if none {
				done = append(done, uid)
			} else {
				next = sooner(next, r.guard.Interval)
			}
			continue
		}
		report := r.writer.Abandon(ctx, copies.Wanted{UID: uid}, copies.Plan(copies.Situation{Existing: all}))
		log.FromContext(ctx).Info("Released copies of a credential that is gone", "credential", found.names[uid],
			"copies", len(report.Removed), "left", len(report.Left))
		// Whether that was all is for the next session to find out.
		next = sooner(next, sooner(r.guard.Interval, report.RetryAfter))
	}
	if len(done) == 0 {
		return next, nil
	}
	return next, r.kept.drop(ctx, done)
}

// hasNone asks the API server whether a Credential that is gone has no copies.
func (r *remover) hasNone(ctx context.Context, uid types.UID, name string) (bool, error) {
	if r.writer.Busy(uid) {
		return false, nil
	}
	all, err := r.CopiesNow(ctx, name)
	return err == nil && !slices.ContainsFunc(all, func(c copies.Copy) bool { return c.CredentialUID == uid }), err
}
