// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/strays"
	"github.com/credence-dev/credence/credential"
)

// Values of the annotation force-delete.
const (
	forceRemove = "true"
	forceKeep   = "keep"
)

// minRetry is how soon what could not be removed is tried again at the earliest.
const minRetry = time.Second

// finalize removes the copies of a Credential that is being deleted, and then
// lets it go.
func (r *reconciler) finalize(ctx context.Context, c *v1alpha1.Credential) (pass, error) {
	if !controllerutil.ContainsFinalizer(c, v1alpha1.Finalizer) {
		return pass{}, nil
	}
	if r.writer.Busy(c.UID) {
		// A copy that is being made would not show in any list.
		return pass{again: minRetry}, nil
	}
	o := &observation{credential: c, now: r.clock.Now()}
	o.facts.KubernetesName = credential.KubernetesName(c)
	o.wanted = copies.Wanted{Credential: client.ObjectKeyFromObject(c), UID: c.UID, Name: o.facts.KubernetesName}

	held, err := r.holdsBack(ctx, o)
	if err != nil {
		return pass{}, err
	}
	again := r.guard.Interval
	var left []copies.Copy
	if !held {
		if left, err = r.dispose(ctx, o); err != nil {
			return pass{}, err
		}
		again = max(o.report.RetryAfter, minRetry)
	}
	if held || len(left) > 0 {
		// A namespace that is being deleted waits for nothing: what is left of its
		// credential's copies elsewhere are strays, or kept (operator-sdk#3625).
		terminating, err := r.IsTerminating(ctx, c.Namespace)
		if err != nil {
			return pass{}, err
		}
		if !terminating {
			o.held = held
			return pass{observation: o, again: again}, nil
		}
	}
	log.FromContext(ctx).Info("Released the credential", "copies", len(o.report.Removed), "left", len(left), "held", held)
	return pass{}, r.setFinalizer(ctx, c, controllerutil.RemoveFinalizer)
}

// holdsBack says whether the copies stay because it is the resource Credential
// itself that is being deleted, which nobody confirmed for this Credential.
func (r *reconciler) holdsBack(ctx context.Context, o *observation) (bool, error) {
	force := o.credential.Annotations[v1alpha1.AnnotationForceDelete]
	if force == forceRemove || force == forceKeep || !o.hasCopies() {
		return false, nil
	}
	return r.guard.Holds(ctx)
}

// heldMessage says why nothing happens, and what an administrator can do.
const heldMessage = "the resource " + strays.ResourceName + " is being deleted, and all credentials with it; the copies stay. " +
	"To let this credential go, annotate it with " + v1alpha1.AnnotationForceDelete + `: "keep" leaves the copies as ordinary Secrets, "true" removes them. ` +
	"For all credentials at once, " + strays.HowToRelease

// heldStatus is what was known before the resource was deleted: workloads go on
// with it.
func heldStatus(o *observation) v1alpha1.CredentialStatus {
	status := *o.credential.Status.DeepCopy()
	status.ObservedGeneration = o.credential.Generation
	status.KubernetesName = o.facts.KubernetesName
	status.State = v1alpha1.StateDeleting
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonHeld, Message: heldMessage,
		ObservedGeneration: o.credential.Generation, LastTransitionTime: metav1.NewTime(o.now)})
	if used := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionInUse); used != nil {
		// It is as true of the generation that the deletion made. Said later, it would be
		// a write of its own.
		used.ObservedGeneration = o.credential.Generation
	}
	return status
}

// dispose removes, or releases, all copies of a Credential, tells of those that
// went, and returns those that are still there. Of copies that are to be kept, that
// is written down before anybody lets the Credential go.
func (r *reconciler) dispose(ctx context.Context, o *observation) ([]copies.Copy, error) {
	left, err := r.clear(ctx, o)
	o.report.Removed = append(o.report.Removed, r.writer.Late(o.wanted.UID)...)
	if len(o.report.Removed) > 0 {
		r.tellWithdrawn(o)
	}
	if err == nil && len(left) > 0 && o.releases() {
		err = r.kept.Add(ctx, o.credential)
	}
	return left, err
}

// releases says whether the Credential is being deleted and its copies stay as
// ordinary Secrets.
func (o *observation) releases() bool {
	return !o.credential.DeletionTimestamp.IsZero() && o.credential.Annotations[v1alpha1.AnnotationForceDelete] == forceKeep
}

// clear removes, or releases, all copies of a Credential and returns those that
// are still there. A copy that the cache does not show yet would be left behind
// for good, so the last word is a live list's.
func (r *reconciler) clear(ctx context.Context, o *observation) ([]copies.Copy, error) {
	dispose := r.writer.Spread
	if o.releases() {
		dispose = r.writer.Abandon
	}
	var left []copies.Copy
	for _, list := range []func(context.Context, string) ([]copies.Copy, error){r.CopiesOf, r.CopiesNow} {
		all, err := list(ctx, o.credential.Name)
		if err != nil {
			return nil, err
		}
		left = slices.DeleteFunc(all, func(c copies.Copy) bool { return c.CredentialUID != o.credential.UID })
		if len(left) == 0 {
			continue
		}
		o.steps = copies.Plan(copies.Situation{Wanted: o.wanted, Existing: left})
		report := dispose(ctx, o.wanted, o.steps)
		o.report.Removed = append(o.report.Removed, report.Removed...)
		o.report.Left, o.report.RetryAfter = report.Left, report.RetryAfter
		if len(report.Left) > 0 {
			return left, nil
		}
		left = nil
	}
	return left, nil
}
