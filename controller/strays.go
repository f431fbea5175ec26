// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/feed"
)

// stray identifies copies whose Credential seems to be gone: that of a name with
// a UID, which were its finalizer stripped or its resource restored from a backup.
type stray struct {
	name string
	uid  types.UID
}

// strayRemover removes the copies of Credentials that are gone.
type strayRemover struct {
	lookup
	writer *copies.Writer
}

func setupStrays(mgr manager.Manager, options Options, writer *copies.Writer, look lookup) error {
	remover := &strayRemover{lookup: look, writer: writer}
	return builder.TypedControllerManagedBy[stray](mgr).Named("stray").
		WatchesRawSource(&feedSource[stray]{
			feed:     options.Feed,
			affected: remover.deleted,
			initial:  remover.all,
		}).
		WatchesRawSource(remover.copies(mgr.GetCache())).
		WithOptions(controllerOptions(1, logStray(mgr.GetLogger()))).
		Complete(remover)
}

// copies brings the copies whose Credential the cache does not have.
func (r *strayRemover) copies(c cache.Cache) source.TypedSource[stray] {
	return source.TypedKind(c, copies.Secret(), handler.TypedEnqueueRequestsFromMapFunc(func(ctx context.Context, secret *metadata) []stray {
		found, ours := copies.Read(secret)
		if !ours {
			return nil
		}
		return r.orphaned(ctx, stray{found.CredentialName, found.CredentialUID})
	}))
}

func (r *strayRemover) orphaned(ctx context.Context, s stray) []stray {
	if known, err := r.known(ctx, s.uid); err != nil || known {
		return nil
	}
	return []stray{s}
}

func (r *strayRemover) known(ctx context.Context, uid types.UID) (bool, error) {
	list, err := r.credentials(ctx, client.MatchingFields{indexUID: string(uid)})
	return len(list) > 0, err
}

// deleted brings a Credential that is gone.
func (r *strayRemover) deleted(_ context.Context, change feed.Change) []stray {
	before, ok := change.Before.(*v1alpha1.Credential)
	if !ok || change.After != nil && change.After.GetUID() == before.UID {
		return nil
	}
	return []stray{{before.Name, before.UID}}
}

// all brings the strays among all copies. Only now are the Credentials complete.
func (r *strayRemover) all(ctx context.Context) []stray {
	list := copies.Secrets()
	if err := r.cache.List(ctx, list, shared); err != nil {
		log.FromContext(ctx).Error(err, "Could not look for strays")
		return nil
	}
	var strays []stray
	for i := range list.Items {
		if found, ours := copies.Read(&list.Items[i]); ours {
			strays = append(strays, r.orphaned(ctx, stray{found.CredentialName, found.CredentialUID})...)
		}
	}
	return strays
}

// Reconcile removes the copies of a Credential that is gone for certain.
func (r *strayRemover) Reconcile(ctx context.Context, s stray) (ctrl.Result, error) {
	if known, err := r.known(ctx, s.uid); err != nil || known {
		return ctrl.Result{}, err
	}
	gone, err := r.confirmGone(ctx, s)
	if err != nil || !gone {
		return ctrl.Result{}, err
	}
	all, err := r.copiesOf(ctx, s.name)
	if err != nil {
		return ctrl.Result{}, err
	}
	// What was said of the Credential is not known any more; only removals are
	// planned, of every copy that has its UID.
	situation := copies.Situation{Wanted: copies.Wanted{Credential: types.NamespacedName{Name: s.name}, UID: s.uid}}
	for _, c := range all {
		if c.CredentialUID == s.uid {
			situation.Existing = append(situation.Existing, c)
		}
	}
	if len(situation.Existing) == 0 {
		r.writer.Forget(s.uid)
		return ctrl.Result{}, nil
	}
	report := r.writer.Spread(ctx, situation.Wanted, copies.Plan(situation))
	log.FromContext(ctx).Info("Removed copies of a credential that is gone", "copies", len(report.Removed), "left", len(report.Left))
	return ctrl.Result{RequeueAfter: report.RetryAfter}, nil
}

// confirmGone asks the API server whether a Credential is gone. An answer counts
// only if it is about Credentials: one that says that there is no such resource
// is an error, and nothing is removed. The guard against removing very many at
// once belongs here too.
func (r *strayRemover) confirmGone(ctx context.Context, s stray) (bool, error) {
	list := &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: "CredentialList"}}
	if err := r.live.List(ctx, list, client.MatchingFields{"metadata.name": s.name}); err != nil {
		return false, fmt.Errorf("asking for Credential %s: %w", s.name, err)
	}
	for i := range list.Items {
		if list.Items[i].UID == s.uid {
			return false, nil
		}
	}
	return true, nil
}
