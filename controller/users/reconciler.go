// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// elsewhere is when to look whether another controller has told it.
const elsewhere = time.Second

// Reconciler writes into the status of Credentials who uses them. Whatever
// happens, it counts a Credential's users no more often than every Interval, and
// writes what lags no more often than every LagInterval.
type Reconciler struct {
	Counter
	Client client.Client
	Clock  clock.PassiveClock

	Interval, LagInterval time.Duration
	// Elsewhere says that a change of a Credential's users is about to be told by the
	// controller of Credentials, with what comes of it; nil if none ever is.
	Elsewhere func(context.Context, *v1alpha1.Credential) bool

	pace Pace[types.NamespacedName]
}

// Reconcile counts the users of one Credential.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	turn := r.pace.Last(request.NamespacedName)
	if wait := turn.Wait(r.Clock.Now(), r.Interval); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	var c v1alpha1.Credential
	if err := r.Cache.Get(ctx, request.NamespacedName, &c); err != nil {
		if apierrors.IsNotFound(err) {
			r.pace.Forget(request.NamespacedName)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, err
	}
	if wait, isElsewhere := r.isElsewhere(ctx, &c); isElsewhere {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	tally, err := r.Count(ctx, &c, c.Status.RotatedAt)
	if err != nil || tally == nil {
		return ctrl.Result{}, err
	}
	turn.At = r.Clock.Now()
	defer func() { r.pace.Note(request.NamespacedName, turn) }()

	status := c.Status.DeepCopy()
	tally.Set(status, turn.At)
	difference := Compare(&c.Status, status)
	if wait := r.LagInterval - r.Clock.Since(turn.Told); difference == Lagging && wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	if difference == Same {
		return ctrl.Result{}, nil
	}
	c.Status = *status
	switch err := r.write(ctx, &c); {
	case apierrors.IsConflict(err):
		turn.At = time.Time{}
		return ctrl.Result{RequeueAfter: Behind}, nil
	case err != nil:
		turn.Refused(r.Interval)
		return ctrl.Result{}, fmt.Errorf("writing who uses the credential: %w", err)
	}
	turn.Written()
	return ctrl.Result{}, nil
}

// isElsewhere says whether the controller of Credentials, which counts too, is to tell
// who uses one, and when to look whether it has. It always has the first word.
func (r *Reconciler) isElsewhere(ctx context.Context, c *v1alpha1.Credential) (time.Duration, bool) {
	if c.Status.ObservedGeneration == 0 {
		return 0, true
	}
	return elsewhere, r.Elsewhere != nil && r.Elsewhere(ctx, c)
}

// write writes the status. One that is gone needs none.
func (r *Reconciler) write(ctx context.Context, c *v1alpha1.Credential) error {
	err := r.Client.Status().Update(ctx, c, client.FieldOwner(v1alpha1.FieldManager))
	if err == nil {
		AwaitSighting(ctx, r.Cache, c)
	}
	return client.IgnoreNotFound(err)
}
