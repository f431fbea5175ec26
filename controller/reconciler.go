// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/strays"
	"github.com/credence-dev/credence/controller/users"
)

// recheckInterval is how often a source is looked at again that no informer may
// follow: one that is missing or lacks the labels by which sources are watched.
const recheckInterval = time.Minute

// reconciler keeps one Credential's copies and status.
type reconciler struct {
	gatherer
	client   client.Client
	writer   *copies.Writer
	guard    *strays.Guard
	recorder recorder.EventRecorder
	// retryFloor is how long a pass is put off at least that only tries again what
	// failed. Of thousands of namespaces that refuse, one is always due.
	retryFloor time.Duration
}

// pass is what one run of the inner reconcile comes to.
type pass struct {
	// observation is nil if there is nothing to tell of.
	observation *observation
	again       time.Duration
}

// Reconcile runs one pass and writes the status that it comes to.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var c v1alpha1.Credential
	if err := r.Cache.Get(ctx, request.NamespacedName, &c); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	run := r.keep
	if !c.DeletionTimestamp.IsZero() {
		run = r.finalize
	}
	done, err := run(ctx, &c)
	if err == nil && done.observation != nil {
		err = r.publish(ctx, done.observation)
	}
	if apierrors.IsConflict(err) {
		// Our cache is behind, by what may be no business of ours and bring no event.
		return ctrl.Result{RequeueAfter: users.Behind}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: done.again}, nil
}

// keep brings the copies in step.
func (r *reconciler) keep(ctx context.Context, c *v1alpha1.Credential) (pass, error) {
	o, err := r.observe(ctx, c)
	if err != nil {
		return pass{}, err
	}
	if err := r.holdOn(ctx, o); err != nil {
		return pass{}, err
	}
	spread := r.writer.Spread
	if announces(o) {
		// Workloads that name the credential wait for the status, not for all copies
		// to be made.
		spread = r.writer.SpreadBriefly
	}
	o.report = spread(ctx, o.wanted, o.steps)
	if removed := len(o.report.Removed); removed > 0 {
		log.FromContext(ctx).Info("Withdrew copies", "copies", removed, "problem", o.problem != nil)
		r.tellWithdrawn(o)
	}
	return pass{observation: o, again: untilNext(o, r.retryFloor)}, r.count(ctx, o)
}

// count adds who uses the credential to what is told of it. Most of that is told
// by the controller of the usage; here it is for the first time, and for changes of
// the scope and of the values, to make one write of it.
func (r *reconciler) count(ctx context.Context, o *observation) (err error) {
	if err := r.explainTaken(ctx, o); err != nil {
		return err
	}
	of := *o.credential // as its status is going to be
	of.Status.TakenNamespaces = o.taken()
	o.tally, err = r.users.Count(ctx, &of, rotatedAt(o))
	return err
}

// holdOn adds the finalizer, before there is a copy that would be left behind
// without it. A project's credential has no copy, so its namespace is to go also while
// nobody is there to take a finalizer off; but a source that was made with it, and goes
// after it, is to stay when it is only the resource that is deleted.
func (r *reconciler) holdOn(ctx context.Context, o *observation) error {
	set := controllerutil.AddFinalizer
	if !o.hasCopies() && !o.made {
		set = controllerutil.RemoveFinalizer
	}
	return r.setFinalizer(ctx, o.credential, set)
}

func (r *reconciler) setFinalizer(ctx context.Context, c *v1alpha1.Credential, set func(client.Object, string) bool) error {
	before := c.DeepCopy()
	if !set(c, v1alpha1.Finalizer) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.client.Patch(ctx, c, patch, client.FieldOwner(v1alpha1.FieldManager)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("setting the finalizer: %w", err)
	}
	return nil
}

// announces says whether the status has something to tell that workloads wait
// for.
func announces(o *observation) bool {
	return o.credential.Status.ObservedGeneration != o.credential.Generation ||
		o.problem == nil && !equality.Semantic.DeepEqual(o.credential.Status.Keys, o.facts.Keys) ||
		o.problem == nil && !equality.Semantic.DeepEqual(o.credential.Status.Registries, o.facts.Registries)
}

// untilNext is when to come back although nothing happens, zero for never.
func untilNext(o *observation, retryFloor time.Duration) time.Duration {
	var next time.Duration
	candidates := []time.Duration{untilRetry(o, retryFloor), untilExpiry(o)}
	if o.problem != nil && (o.problem.Withdraws() || o.problem.Reason == v1alpha1.ReasonSourceMissing) {
		candidates = append(candidates, recheckInterval)
	}
	for _, candidate := range candidates {
		if candidate > 0 && (next == 0 || candidate < next) {
			next = candidate
		}
	}
	return next
}

// untilRetry is when to come back for copies: for those that failed in one pass for
// all that are due by then, much sooner while others have not had their turn.
func untilRetry(o *observation, floor time.Duration) time.Duration {
	if o.report.RetryAfter == 0 {
		return 0
	}
	waits := slices.ContainsFunc(o.report.Left, func(left copies.Leftover) bool { return left.Reason == "" })
	for _, outcome := range o.report.Outcomes {
		waits = waits || o.problem == nil && !outcome.Current && outcome.Reason == ""
	}
	if waits {
		floor /= 10
	}
	return max(o.report.RetryAfter, floor)
}

// publish writes the status if it says something new, and tells of what changed.
// The cache's resourceVersion goes with it, so that a status computed from an old
// one is not written; its newer version is then on its way to us.
func (r *reconciler) publish(ctx context.Context, o *observation) error {
	status := computeStatus(o)
	before := o.credential.Status
	if !isNews(&before, &status) {
		return nil
	}
	c := o.credential.DeepCopy()
	c.Status = status
	err := r.client.Status().Update(ctx, c, client.FieldOwner(v1alpha1.FieldManager))
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsConflict(err):
		return err
	case apierrors.IsInvalid(err):
		return reconcile.TerminalError(fmt.Errorf("writing the status: %w", err))
	case err != nil:
		return fmt.Errorf("writing the status: %w", err)
	}
	if before.State != status.State {
		log.FromContext(ctx).Info("Status changed", "state", status.State,
			"desired", status.Namespaces.Desired, "ready", status.Namespaces.Ready, "issues", status.IssuesTotal)
	}
	r.tellChanges(c, &before)
	users.AwaitSighting(ctx, r.Cache, c)
	return nil
}

// isNews says whether a status is worth a write. Who uses the credential is for
// the controller of the usage to tell, but for the first time.
func isNews(before, after *v1alpha1.CredentialStatus) bool {
	known := func(s *v1alpha1.CredentialStatus) bool {
		return meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionInUse) != nil
	}
	return known(before) != known(after) || !equality.Semantic.DeepEqual(users.Others(before), users.Others(after))
}
