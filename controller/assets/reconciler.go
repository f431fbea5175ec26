// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"context"
	"fmt"
	"sync"
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

const (
	// behind is when to try again after a conflict: the cache is behind then, and not
	// by much.
	behind = 100 * time.Millisecond
	// maxBackoff bounds how long a status that was refused is not written again.
	maxBackoff = 2 * time.Minute
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

	mu    sync.Mutex
	looks map[catalog.Object]look
}

// look is when an asset was last looked at, and until when its status is not written
// because that was refused so many times in a row. The queue's back-off does not do:
// it ends with the first event that is told to wait.
type look struct {
	at, until time.Time
	refused   int
}

// Reconcile looks at one asset and writes the status that it comes to.
func (r *reconciler) Reconcile(ctx context.Context, request catalog.Object) (ctrl.Result, error) {
	last := r.last(request)
	if wait := max(r.interval-r.clock.Since(last.at), last.until.Sub(r.clock.Now())); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	object := objectOf(request.Kind)
	if err := r.cache.Get(ctx, request.NamespacedName, object); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(request)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	last.at = r.clock.Now()
	err := r.publish(ctx, r.observe(object))
	switch {
	case apierrors.IsConflict(err):
		// What is computed of an old version is not written.
		return ctrl.Result{RequeueAfter: behind}, nil
	case err != nil:
		last.refused++
		last.until = last.at.Add(min(r.interval<<min(last.refused, 20), maxBackoff))
		err = fmt.Errorf("writing the status: %w", err)
	default:
		last.refused, last.until = 0, time.Time{}
	}
	r.note(request, last)
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

func (r *reconciler) last(id catalog.Object) look {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.looks[id]
}

func (r *reconciler) note(id catalog.Object, now look) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.looks == nil {
		r.looks = map[catalog.Object]look{}
	}
	r.looks[id] = now
}

func (r *reconciler) forget(id catalog.Object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.looks, id)
}
