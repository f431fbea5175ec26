// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
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
	o := &observation{credential: c, now: r.clock.Now()}
	o.facts.KubernetesName = credential.KubernetesName(c)
	o.wanted = copies.Wanted{Credential: client.ObjectKeyFromObject(c), UID: c.UID, Name: o.facts.KubernetesName}

	left, err := r.clear(ctx, o)
	if err != nil {
		return pass{}, err
	}
	if len(left) > 0 {
		// A namespace that is being deleted waits for nothing: what is left of its
		// credential's copies elsewhere are strays (operator-sdk#3625).
		terminating, err := r.isTerminating(ctx, c.Namespace)
		if err != nil {
			return pass{}, err
		}
		if !terminating {
			return pass{observation: o, again: max(o.report.RetryAfter, minRetry)}, nil
		}
	}
	if len(o.report.Removed) > 0 {
		r.tellWithdrawn(o)
	}
	log.FromContext(ctx).Info("Released the credential", "copies", len(o.report.Removed), "left", len(left))
	r.writer.Forget(c.UID)
	return pass{}, r.setFinalizer(ctx, c, controllerutil.RemoveFinalizer)
}

// clear removes, or releases, all copies of a Credential and returns those that
// are still there. A copy that the cache does not show yet would be left behind
// for good, so the last word is a live list's.
func (r *reconciler) clear(ctx context.Context, o *observation) ([]copies.Copy, error) {
	dispose := r.writer.Spread
	if o.credential.Annotations[v1alpha1.AnnotationForceDelete] == forceKeep {
		dispose = r.writer.Abandon
	}
	var left []copies.Copy
	for _, list := range []func(context.Context, string) ([]copies.Copy, error){r.copiesOf, r.copiesNow} {
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
