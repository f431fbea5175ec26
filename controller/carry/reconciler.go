// SPDX-License-Identifier: Apache-2.0

package carry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/injector/workload"
	"github.com/credence-dev/credence/usage"
)

// Reasons and the action of the events.
const (
	eventNotCarried = "AnnotationsNotCarried"
	eventCarried    = "AnnotationsCarried"
	eventReverted   = "CarryingReverted"
	eventRefused    = "CarryingRefused"

	actionCarry = "Carry"
)

const (
	// behind is how soon a workload is looked at again that was just written, by us or
	// by somebody else.
	behind = 5 * time.Second
	// soon is how soon it is that cannot be carried now: that its author writes something
	// else is no news to the index.
	soon = 10 * time.Minute
)

// reconciler tells of one workload, and carries.
type reconciler struct {
	backlog  *backlog
	kinds    *workload.Registry
	objects  dynamic.Interface
	mapper   meta.RESTMapper
	clock    clock.PassiveClock
	recorder recorder.EventRecorder
	repair   bool
	patience time.Duration
	pace     flowcontrol.RateLimiter
	memory   memory
}

// Reconcile implements reconcile.TypedReconciler.
func (r *reconciler) Reconcile(ctx context.Context, w usage.Uncarried) (reconcile.Result, error) {
	if !r.backlog.has(w) {
		return ctrl.Result{}, nil // meanwhile it is
	}
	kind, known := r.kinds.Of(w.Group+"/", w.Kind)
	if !known {
		return ctrl.Result{}, nil
	}
	switch {
	case kind.OnlyNew:
		r.tell(&kind, w, eventNotCarried,
			"its annotations are not carried to its pods: that is done when a %s is created, and not after; create it anew", kind.Kind)
		return ctrl.Result{}, nil
	case !r.repair:
		r.tell(&kind, w, eventNotCarried,
			"its annotations are not carried to its pod template, because the webhook was not there when they were written; change any annotation of it, and they will be. The chart's value repair has the controller do it")
		return ctrl.Result{}, nil
	}
	return r.carry(ctx, &kind, w)
}

// find reads a workload, nil if it is gone or going, and returns where it is.
func (r *reconciler) find(ctx context.Context, kind *workload.Kind, w usage.Uncarried) (dynamic.ResourceInterface, *unstructured.Unstructured, error) {
	mapping, err := r.mapper.RESTMapping(w.GroupKind, kind.Versions...)
	if err != nil {
		return nil, nil, fmt.Errorf("finding the resource of %s: %w", kind.String(), err)
	}
	client := r.objects.Resource(mapping.Resource).Namespace(w.Namespace)
	live, err := client.Get(ctx, w.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return client, nil, nil
	case err != nil:
		return client, nil, fmt.Errorf("reading %s: %w", w, err)
	case live.GetUID() != w.UID || live.GetDeletionTimestamp() != nil:
		return client, nil, nil
	}
	return client, live, nil
}

// carry patches one workload as the webhook would have.
func (r *reconciler) carry(ctx context.Context, kind *workload.Kind, w usage.Uncarried) (reconcile.Result, error) {
	client, live, err := r.find(ctx, kind, w)
	if err != nil || live == nil {
		return ctrl.Result{}, err
	}
	operations, why, err := plan(kind, live)
	switch {
	case err != nil:
		return ctrl.Result{}, err
	case why != "":
		r.tell(kind, w, eventNotCarried, "its annotations are not carried to its pod template: %s", why)
		return ctrl.Result{RequeueAfter: soon}, nil
	case len(operations) == 0: // and the index is about to know
		return ctrl.Result{RequeueAfter: soon}, nil
	}
	text, err := patch.AppendJSON(nil, operations)
	if err != nil {
		return ctrl.Result{}, err
	}
	if pause := r.memory.pause(w.UID, string(text), r.clock.Now(), r.patience); pause > 0 {
		r.tell(kind, w, eventReverted,
			"somebody took back what was carried to its pod template; it is carried again later, and each time after twice as long")
		return ctrl.Result{RequeueAfter: min(pause, soon)}, nil
	}
	// Each is a roll-out. The others wait their turn in the queue, and not by asking for
	// it again and again.
	if err := r.pace.Wait(ctx); err != nil {
		return ctrl.Result{}, fmt.Errorf("waiting for the turn of %s: %w", w, err)
	}
	// Whoever writes in between is right: then this is a conflict.
	operations = append([]jsonpatch.Operation{jsonpatch.NewOperation("add", "/metadata/resourceVersion", live.GetResourceVersion())}, operations...)
	body, err := patch.AppendJSON(nil, operations)
	if err != nil {
		return ctrl.Result{}, err
	}
	_, err = client.Patch(ctx, w.Name, types.JSONPatchType, body, metav1.PatchOptions{FieldManager: v1alpha1.FieldManager})
	return r.done(ctx, kind, w, string(text), err)
}

// done tells of what was carried, or of why it was not.
func (r *reconciler) done(ctx context.Context, kind *workload.Kind, w usage.Uncarried, what string, err error) (reconcile.Result, error) {
	switch {
	case apierrors.IsNotFound(err):
		return ctrl.Result{}, nil
	case apierrors.IsConflict(err):
		return ctrl.Result{RequeueAfter: behind}, nil
	case err != nil:
		return r.refused(kind, w, err)
	}
	r.memory.carried(w.UID, what, r.clock.Now())
	r.recorder.Eventf(reference(kind, w), nil, corev1.EventTypeNormal, eventCarried, actionCarry,
		"its annotations are carried to its pod template now; the webhook was not there when they were written")
	log.FromContext(ctx).Info("Carried the annotations of a workload", "workload", w.String())
	return ctrl.Result{RequeueAfter: behind}, nil // it may be taken back before anybody saw it
}

// plan returns what carries the annotations of an object, or why nothing can.
func plan(kind *workload.Kind, live *unstructured.Unstructured) (operations []jsonpatch.Operation, why string, err error) {
	object, err := live.MarshalJSON()
	if err != nil {
		return nil, "", err
	}
	templates, err := kind.Templates(object)
	if err == nil {
		operations, err = workload.Carry(object, templates...)
	}
	var fault *pod.Error
	switch {
	case errors.As(err, &fault):
		return nil, fault.Error(), nil
	case err != nil:
		return nil, "", err
	case !workload.Fits(object, templates...):
		return nil, "its annotations would have more than the 256 KiB that the API server takes", nil
	case kind.Revisions && len(operations) > 0 && slices.ContainsFunc(templates, func(t workload.Template) bool { return t.Name(object) != "" }):
		return nil, "its template has the name of a revision, and must not change under that name", nil
	}
	return operations, "", nil
}

// refused tells once that a workload cannot be patched. The API server's words are not
// repeated: admission may quote the workload.
func (r *reconciler) refused(kind *workload.Kind, w usage.Uncarried, err error) (reconcile.Result, error) {
	answer := copies.Answer(err)
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		r.tell(kind, w, eventRefused,
			"its annotations could not be carried to its pod template: the API server answers: %s; it is tried again", answer)
	}
	return ctrl.Result{}, fmt.Errorf("patching %s: the API server answers: %s", w, answer)
}

// tell tells something of a workload, once.
func (r *reconciler) tell(kind *workload.Kind, w usage.Uncarried, reason, format string, args ...any) {
	if note := fmt.Sprintf(format, args...); r.memory.tell(w.UID, reason+note) {
		r.recorder.Eventf(reference(kind, w), nil, corev1.EventTypeWarning, reason, actionCarry, "%s", note)
	}
}

// reference is a workload as an event names it.
func reference(kind *workload.Kind, w usage.Uncarried) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: kind.APIVersion(), Kind: kind.Kind},
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.Name, UID: w.UID},
	}
}
