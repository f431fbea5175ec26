// SPDX-License-Identifier: Apache-2.0

package cabundle

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential/catalog"
)

// reconciler keeps the copy of one namespace, which a request names.
type reconciler struct {
	source   source
	catalog  *catalog.Catalog
	index    users.Index
	cluster  lookup.Cluster
	client   client.Client
	recorder recorder.EventRecorder
	clock    clock.PassiveClock
	linger   time.Duration
	states   states
}

// Reconcile looks at one namespace.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if !r.index.Synced() { // all come again when it is
		return ctrl.Result{}, nil
	}
	namespace := request.Name
	switch ending, err := r.cluster.IsTerminating(ctx, namespace); {
	case err != nil:
		return ctrl.Result{}, fmt.Errorf("looking for namespace %s: %w", namespace, err)
	case ending:
		r.states.set(namespace, state{})
		return ctrl.Result{}, nil
	}
	found := ConfigMap()
	if err := r.source.seen.Get(ctx, types.NamespacedName{Namespace: namespace, Name: r.source.Name}, found); apierrors.IsNotFound(err) {
		found = nil
	} else if err != nil {
		return ctrl.Result{}, fmt.Errorf("looking for the ConfigMap of namespace %s: %w", namespace, err)
	}
	if r.isNeeded(namespace) {
		return ctrl.Result{}, r.keep(ctx, namespace, found)
	}
	if found == nil || !isOurs(found) {
		r.states.set(namespace, state{})
		return ctrl.Result{}, nil
	}
	return r.withdraw(ctx, found)
}

// keep has a namespace have its copy. Without a usable bundle what is there stays.
func (r *reconciler) keep(ctx context.Context, namespace string, found *metadata) error {
	wanted, err := r.source.current(ctx)
	if err != nil {
		return err
	}
	if wanted.problem == "" {
		r.states.isNews("") // the next problem is
	}
	now := state{name: stateCurrent}
	switch {
	case found != nil && !isOurs(found):
		now = state{name: stateTaken, of: found.UID}
		if wanted.problem == "" && r.states.get(namespace) != now {
			r.tellTaken(found)
		}
	case wanted.problem != "":
		r.tellProblem(ctx, wanted.problem)
		now = behind(found)
	case found == nil:
		err = r.create(ctx, namespace, wanted)
	case found.Labels[v1alpha1.LabelCABundle] != wanted.fingerprint || len(found.ManagedFields) > 0:
		err = r.rewrite(ctx, found, wanted)
	}
	if err != nil {
		now = behind(found)
	}
	r.states.set(namespace, now)
	return err
}

func behind(found *metadata) state {
	if found == nil {
		return state{name: stateMissing}
	}
	return state{name: stateOutdated}
}

// create makes a copy by POST, which takes nothing over. Of what is there already the
// cache is about to tell.
func (r *reconciler) create(ctx context.Context, namespace string, wanted bundle) error {
	err := r.client.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: r.source.Name, Labels: map[string]string{
			v1alpha1.LabelManagedBy: v1alpha1.ManagedByCredence, v1alpha1.LabelCABundle: wanted.fingerprint,
		}},
		Data: map[string]string{Key: wanted.text},
	}, client.FieldOwner(v1alpha1.FieldManager))
	if err == nil || apierrors.IsAlreadyExists(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil
	}
	return fmt.Errorf("making ConfigMap %s/%s: %w", namespace, r.source.Name, err)
}

// rewrite brings the copy that was seen up to date. One that somebody edited, with the
// same certificates in it, is as it should be.
func (r *reconciler) rewrite(ctx context.Context, found *metadata, wanted bundle) error {
	key := client.ObjectKeyFromObject(found)
	if found.Labels[v1alpha1.LabelCABundle] == wanted.fingerprint {
		var live corev1.ConfigMap
		if err := r.source.live.Get(ctx, key, &live); err != nil || live.Data[Key] == wanted.text {
			return client.IgnoreNotFound(err)
		}
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{
			"uid": found.UID, "resourceVersion": found.ResourceVersion,
			"labels": map[string]string{v1alpha1.LabelCABundle: wanted.fingerprint},
		},
		"data": map[string]string{Key: wanted.text},
	})
	if err != nil {
		return err
	}
	written := ConfigMap()
	written.Namespace, written.Name = key.Namespace, key.Name
	err = r.client.Patch(ctx, written, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1alpha1.FieldManager))
	if err != nil && !outrun(err) {
		return fmt.Errorf("updating ConfigMap %s: %w", key, err)
	}
	return nil
}

// outrun says whether a copy is not any more what was seen. What it is now the cache
// is about to tell.
func outrun(err error) bool { return apierrors.IsNotFound(err) || apierrors.IsConflict(err) }

// withdraw removes a copy that was not needed for a while and that no live pod mounts:
// a kubelet that restarts mounts the volumes of its pods again.
func (r *reconciler) withdraw(ctx context.Context, found *metadata) (ctrl.Result, error) {
	now := r.states.get(found.Namespace)
	if now.name != stateUnneeded {
		now = state{name: stateUnneeded, since: r.clock.Now()}
		r.states.set(found.Namespace, now)
	}
	if wait := r.linger - r.clock.Since(now.since); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	if mounted, err := r.isMounted(ctx, found.Namespace); err != nil || mounted {
		return ctrl.Result{RequeueAfter: r.linger}, err
	}
	err := r.client.Delete(ctx, found, client.Preconditions{UID: &found.UID, ResourceVersion: &found.ResourceVersion})
	if err != nil && !outrun(err) {
		return ctrl.Result{}, fmt.Errorf("deleting ConfigMap %s: %w", client.ObjectKeyFromObject(found), err)
	}
	return ctrl.Result{}, nil
}
