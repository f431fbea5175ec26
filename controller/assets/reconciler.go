// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/credential/check"
)

// reconciler keeps the status of assets. Whatever happens, it looks at each no more
// often than every interval: workloads that use it come and go all the time.
type reconciler struct {
	counter  *users.Counter
	cache    client.Reader
	client   client.Client
	recorder recorder.EventRecorder
	clock    clock.PassiveClock
	interval time.Duration

	pace users.Pace[catalog.Object]
}

// Reconcile looks at one asset and writes the status that it comes to.
func (r *reconciler) Reconcile(ctx context.Context, request catalog.Object) (ctrl.Result, error) {
	turn := r.pace.Last(request)
	if wait := turn.Wait(r.clock.Now(), r.interval); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	object := objectOf(request.Kind)
	if err := r.cache.Get(ctx, request.NamespacedName, object); err != nil {
		if apierrors.IsNotFound(err) {
			r.pace.Forget(request)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	turn.At = r.clock.Now()
	err := r.publish(ctx, r.observe(object))
	switch {
	case apierrors.IsConflict(err):
		// What is computed of an old version is not written.
		return ctrl.Result{RequeueAfter: users.Behind}, nil
	case err != nil:
		turn.Refused(r.interval)
		err = fmt.Errorf("writing the status: %w", err)
	default:
		turn.Written()
	}
	r.pace.Note(request, turn)
	return ctrl.Result{}, err
}

// observe reads what the catalog and the index know. None of it costs a request.
func (r *reconciler) observe(object client.Object) *observation {
	o := &observation{object: object, asset: asset.New(object), now: r.clock.Now()}
	o.faults = check.Asset(r.counter.Catalog, o.asset)
	if used, known := r.counter.CountUsers(o.asset.Kind, o.asset.NamespacedName); known {
		o.used = &used
	}
	return o
}

// publish writes a status that says something new, and tells of it.
func (r *reconciler) publish(ctx context.Context, o *observation) error {
	before, now := statusIn(o.object).DeepCopy(), computeStatus(o)
	if equality.Semantic.DeepEqual(*before, now) {
		return nil
	}
	*statusIn(o.object) = now
	if err := r.client.Status().Update(ctx, o.object, client.FieldOwner(v1alpha1.FieldManager)); err != nil {
		return client.IgnoreNotFound(err)
	}
	r.tell(o.object, before.Conditions, now.Conditions)
	users.AwaitSighting(ctx, r.cache, o.object)
	return nil
}
