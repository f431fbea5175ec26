// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

const (
	// behind is when to try again after a conflict: the cache is behind then, and not
	// by much.
	behind = 100 * time.Millisecond
	// elsewhere is when to look whether another controller has told it.
	elsewhere = time.Second
	// maxBackoff bounds how long a status that was refused is not written again.
	maxBackoff = 2 * time.Minute
)

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

	mu    sync.Mutex
	times map[types.NamespacedName]times
}

// times are when something was last done about a Credential.
type times struct {
	counted, told time.Time
	// refused is how many writes in a row failed, until how long that holds back
	// others. The queue's back-off does not do: it ends with the first event that is
	// told to wait.
	refused int
	until   time.Time
}

// fail notes a write that failed, each for twice as long as the one before.
func (t *times) fail(interval time.Duration) {
	t.refused++
	t.until = t.counted.Add(min(interval<<min(t.refused, 20), maxBackoff))
}

// Reconcile counts the users of one Credential.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	last := r.last(request.NamespacedName)
	if wait := max(r.Interval-r.Clock.Since(last.counted), last.until.Sub(r.Clock.Now())); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	var c v1alpha1.Credential
	if err := r.Cache.Get(ctx, request.NamespacedName, &c); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(request.NamespacedName)
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
	last.counted = r.Clock.Now()
	defer func() { r.note(request.NamespacedName, last) }()

	status := c.Status.DeepCopy()
	tally.Set(status, last.counted)
	difference := Compare(&c.Status, status)
	if wait := r.LagInterval - r.Clock.Since(last.told); difference == Lagging && wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	if difference == Same {
		return ctrl.Result{}, nil
	}
	c.Status = *status
	switch err := r.write(ctx, &c); {
	case apierrors.IsConflict(err):
		last.counted = time.Time{}
		return ctrl.Result{RequeueAfter: behind}, nil
	case err != nil:
		last.fail(r.Interval)
		return ctrl.Result{}, fmt.Errorf("writing who uses the credential: %w", err)
	}
	last.told, last.refused, last.until = last.counted, 0, time.Time{}
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

func (r *Reconciler) last(key types.NamespacedName) times {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.times[key]
}

func (r *Reconciler) note(key types.NamespacedName, now times) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.times == nil {
		r.times = map[types.NamespacedName]times{}
	}
	r.times[key] = now
}

func (r *Reconciler) forget(key types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.times, key)
}
