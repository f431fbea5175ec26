// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/adoption"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/controller/sighting"
	"github.com/credence-dev/credence/controller/strays"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/usage"
)

// Values of the annotation force-delete.
const (
	forceRemove = "true"
	forceKeep   = "keep"
)

// soon is when to try again at the earliest what could not be removed.
func (r *reconciler) soon() time.Duration { return min(time.Second, r.retryFloor) }

// finalize removes the copies of a Credential that is being deleted, and then
// lets it go.
func (r *reconciler) finalize(ctx context.Context, c *v1alpha1.Credential) (pass, error) {
	if !controllerutil.ContainsFinalizer(c, v1alpha1.Finalizer) {
		return pass{}, nil
	}
	if r.writer.Busy(c.UID) {
		// A copy that is being made would not show in any list.
		return pass{again: r.soon()}, nil
	}
	o := &observation{credential: c, now: r.clock.Now(), layout: r.catalog.Layout()}
	o.facts.KubernetesName = credential.KubernetesName(c)
	o.wanted = copies.Wanted{Credential: client.ObjectKeyFromObject(c), UID: c.UID, Name: o.facts.KubernetesName, Ending: true}

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
		again = max(o.report.RetryAfter, r.soon())
	}
	if held || len(left) > 0 || r.writer.Owes(c.UID) || r.isBlind(o) {
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
	r.writer.Forget(c.UID)
	log.FromContext(ctx).Info("Released the credential", "copies", len(o.report.Removed), "left", len(left), "held", held)
	return pass{}, r.letGo(ctx, c)
}

// isBlind says whether it is not known whether something still needs a copy that is gone:
// the process before this one may have ended in the moment in which it removed one.
func (r *reconciler) isBlind(o *observation) bool {
	return o.hasCopies() && !o.forced() && !o.releases() && !r.users.Index.Synced()
}

// letGo removes the finalizer and waits until the cache shows it: the last copies have
// brought about another pass, which would remove it once more.
func (r *reconciler) letGo(ctx context.Context, c *v1alpha1.Credential) error {
	if err := r.setFinalizer(ctx, c, controllerutil.RemoveFinalizer); err != nil {
		return err
	}
	sighting.Await(ctx, func(ctx context.Context) bool {
		var seen v1alpha1.Credential
		err := r.Cache.Get(ctx, client.ObjectKeyFromObject(c), &seen, lookup.Shared)
		return err != nil || seen.UID != c.UID || !controllerutil.ContainsFinalizer(&seen, v1alpha1.Finalizer)
	})
	return nil
}

// holdsBack says whether a Credential stays, and its copies with it, because it is the
// resource Credential itself that is being deleted, which nobody confirmed for this
// one. A project's has no copies, but its source may go after it, with the only values
// there are, and no pod that names it could be replaced.
func (r *reconciler) holdsBack(ctx context.Context, o *observation) (bool, error) {
	force := o.credential.Annotations[v1alpha1.AnnotationForceDelete]
	if force == forceRemove || force == forceKeep {
		return false, nil
	}
	return r.guard.Holds(ctx)
}

// heldMessage says why nothing happens, and what an administrator can do.
const heldMessage = "the resource " + strays.ResourceName + " is being deleted, and all credentials with it; copies and sources stay. " +
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
	confirmUsers(&status)
	return status
}

// confirmUsers says that what is known of users is as true of the generation that the
// deletion made. Said later, it would be a write of its own.
func confirmUsers(status *v1alpha1.CredentialStatus) {
	if used := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionInUse); used != nil {
		used.ObservedGeneration = status.ObservedGeneration
	}
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
	switch {
	case err != nil || !o.releases():
	case !o.hasCopies(): // a project's pods use the source itself
		err = adoption.Leave(ctx, r.Live, r.client, o.credential)
	case len(left) > 0:
		err = r.kept.Add(ctx, o.credential)
	}
	return left, err
}

// releases says whether the Credential is being deleted and its copies stay as
// ordinary Secrets.
func (o *observation) releases() bool {
	return !o.credential.DeletionTimestamp.IsZero() && o.credential.Annotations[v1alpha1.AnnotationForceDelete] == forceKeep
}

// forced says whether the Credential is being deleted and its users are to lose it.
func (o *observation) forced() bool {
	return !o.credential.DeletionTimestamp.IsZero() && o.credential.Annotations[v1alpha1.AnnotationForceDelete] == forceRemove
}

// clear removes, or releases, all copies of a Credential and returns those that
// are still there, or there again. A copy that the cache does not show yet would be
// left behind for good, so the last word is a live list's.
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
		if err := r.planRemoval(ctx, o, left); err != nil {
			return nil, err
		}
		if len(o.steps) == 0 && !r.writer.Owes(o.credential.UID) {
			continue
		}
		report := dispose(ctx, o.wanted, o.steps)
		o.report.Removed = append(o.report.Removed, report.Removed...)
		o.report.Left, o.report.RetryAfter, o.report.Outcomes = report.Left, report.RetryAfter, report.Outcomes
		if len(report.Left) > 0 {
			return left, nil
		}
		if back := o.back(); len(back) > 0 {
			return back, nil
		}
		left = nil
	}
	return left, nil
}

// planRemoval has all copies of a Credential go, and those made again that went while
// something came which needs them: by now the index shows it.
func (r *reconciler) planRemoval(ctx context.Context, o *observation, existing []copies.Copy) error {
	situation := copies.Situation{Existing: existing}
	if err := r.revisit(ctx, o); err != nil {
		return err
	}
	if !o.forced() && !o.releases() {
		situation.Desired = r.missed(o, existing)
	}
	situation.Wanted = o.wanted
	if len(situation.Desired) > 0 {
		situation.Wanted = r.again(o)
		if !situation.Wanted.Filled() {
			situation.Desired = nil
		}
	}
	o.wanted = situation.Wanted
	o.steps = copies.Plan(situation)
	r.exempt(o)
	return nil
}

// revisit finds out what became of the scope and the source of a Credential that is
// being deleted: what has to be withdrawn at once still has to be.
func (r *reconciler) revisit(ctx context.Context, o *observation) error {
	if o.last != nil || !o.hasCopies() {
		return nil
	}
	last := &observation{credential: o.credential, now: o.now, layout: o.layout}
	if err := r.examine(ctx, last); err != nil {
		return err
	}
	if err := r.survey(ctx, last); err != nil {
		return err
	}
	o.last = last
	return nil
}

// missed are the namespaces in the scope of a Credential that is being deleted where
// something needs a copy which is not there.
func (r *reconciler) missed(o *observation, existing []copies.Copy) (missed []string) {
	if !r.users.Index.Synced() || o.last == nil || o.last.problem != nil && o.last.problem.Withdraws() {
		return nil
	}
	query := usage.Query{Secret: o.wanted.Name, Namespaces: o.without(existing)}
	if !r.users.Index.IsUsed(query) {
		return nil
	}
	found := r.users.Index.Users(query)
	for _, user := range slices.Concat(found.Workloads, found.Automatic) {
		missed = append(missed, user.Namespace)
	}
	slices.Sort(missed)
	return slices.Compact(missed)
}

// without are the namespaces in the scope of a Credential that is being deleted which
// have no copy.
func (o *observation) without(existing []copies.Copy) (names []string) {
	there := sets.New[string]()
	for _, c := range existing {
		if c.Name == o.wanted.Name {
			there.Insert(c.Namespace)
		}
	}
	for _, p := range o.last.projects {
		if p.shadowedBy == nil && !p.terminating && !there.Has(p.namespace) {
			names = append(names, p.namespace)
		}
	}
	return names
}

// again returns what the copies of a Credential are to be that is being deleted: what
// the last one was that went, or, after a restart, what the source says.
func (r *reconciler) again(o *observation) copies.Wanted {
	wanted, ok := r.writer.Recall(o.credential.UID)
	if !ok {
		wanted = o.last.wanted
	}
	wanted.Credential, wanted.Ending = o.wanted.Credential, true
	return wanted
}

// back are the copies that are there again, or that could not be made for a reason
// which will be over.
func (o *observation) back() (back []copies.Copy) {
	for namespace, outcome := range o.report.Outcomes {
		if outcome.Exists || outcome.Reason == "" || outcome.Reason == v1alpha1.IssueWriteFailed {
			back = append(back, copies.Copy{NamespacedName: types.NamespacedName{Namespace: namespace, Name: o.wanted.Name}})
		}
	}
	return back
}
