// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/workload"
)

const (
	// again is how soon a WorkloadKind is looked at anew that is not ready: what it lacks
	// may be there by then, and no watch tells of that.
	again = 15 * time.Second
	// later is how soon one that is ready is: its kind may be gone.
	later = 5 * time.Minute

	actionCheck = "CheckKind"
)

// reconciler deals with all WorkloadKinds at once: there are few, and they share one
// webhook configuration.
type reconciler struct {
	client   client.Client
	live     client.Reader
	recorder recorder.EventRecorder
	repair   bool
	// discovery says which kinds there are.
	discovery discovery.ServerResourcesInterface
	// resources are those that WorkloadKinds were found to be about. One worker uses it.
	resources map[types.UID]string
}

// Reconcile implements reconcile.Reconciler.
func (r *reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	var list v1alpha1.WorkloadKindList
	if err := r.client.List(ctx, &list); err != nil {
		return ctrl.Result{}, fmt.Errorf("listing WorkloadKinds: %w", err)
	}
	list.Items = slices.DeleteFunc(list.Items, func(told v1alpha1.WorkloadKind) bool { return !told.DeletionTimestamp.IsZero() })
	claims := &workload.Registry{}
	for i := range list.Items {
		told := &list.Items[i]
		if kind, err := workload.Read(&told.Spec); err == nil {
			claims.Set(workload.Claim{Name: told.Name, Created: told.CreationTimestamp.Time, Kind: kind})
		}
	}
	resources := map[types.UID]string{}
	var (
		kinds []served
		errs  []error
		wait  time.Duration
	)
	for i := range list.Items {
		told := &list.Items[i]
		v, err := r.judge(ctx, told, claims)
		resource, unknown := v.resource, false
		if err == nil {
			err = r.tell(ctx, told, v)
		} else { // what could not be found out changes nothing
			resource = r.resources[told.UID]
			unknown = resource == ""
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("WorkloadKind %s: %w", told.Name, err))
		}
		if resources[told.UID] = resource; resource != "" || unknown {
			group, version, _ := strings.Cut(told.Spec.APIVersion, "/")
			kinds = append(kinds, served{group, version, resource})
		}
		wait = soonest(wait, v.ready)
	}
	r.resources = resources
	slices.SortFunc(kinds, func(a, b served) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.resource, b.resource))
	})
	errs = append(errs, r.ensure(ctx, kinds))
	return ctrl.Result{RequeueAfter: wait}, errors.Join(errs...)
}

func soonest(wait time.Duration, ready bool) time.Duration {
	switch {
	case !ready:
		return again
	case wait == 0:
		return later
	}
	return wait
}

// tell writes a verdict into the status, if it is news.
func (r *reconciler) tell(ctx context.Context, told *v1alpha1.WorkloadKind, v verdict) error {
	status := told.Status.DeepCopy()
	condition := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v.reason, Message: v.message, ObservedGeneration: told.Generation,
	}
	if v.ready {
		condition.Status = metav1.ConditionTrue
	}
	before := meta.FindStatusCondition(told.Status.Conditions, v1alpha1.ConditionReady)
	changed := meta.SetStatusCondition(&status.Conditions, condition)
	if !changed && status.ObservedGeneration == told.Generation {
		return nil
	}
	status.ObservedGeneration = told.Generation
	written := told.DeepCopy()
	written.Status = *status
	err := r.client.Status().Update(ctx, written, client.FieldOwner(v1alpha1.FieldManager))
	switch {
	case apierrors.IsConflict(err) || apierrors.IsNotFound(err):
		return nil // the cache will bring it again
	case err != nil:
		return fmt.Errorf("writing the status: %w", err)
	}
	if before == nil || before.Reason != v.reason {
		kind := corev1.EventTypeNormal
		if !v.ready {
			kind = corev1.EventTypeWarning
		}
		r.recorder.Eventf(told, nil, kind, v.reason, actionCheck, "%s", v.message)
	}
	return nil
}
