// SPDX-License-Identifier: Apache-2.0

package adoption

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/credential/catalog"
)

const (
	// pendingLifetime is how long a new source waits for its Credential.
	pendingLifetime = 10 * time.Minute
	// recheckInterval is how long the cache is given to tell what a source is now.
	recheckInterval = time.Minute
)

const (
	eventAbandoned = "SourceAbandoned"
	actionCleanUp  = "CleanUp"
)

// reconciler binds one source after the other.
type reconciler struct {
	// sources has the metadata of Secrets labelled source-of, cache and live have
	// Credentials.
	sources, cache, live client.Reader
	catalog              *catalog.Catalog
	client               client.Writer
	clock                clock.PassiveClock
	recorder             recorder.EventRecorder
}

// Reconcile binds one source to its Credential, or cleans it up.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	secret := copies.Secret()
	if err := r.sources.Get(ctx, request.NamespacedName, secret); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	place, _ := r.catalog.Place(secret.Namespace)
	_, isCopy := secret.Labels[v1alpha1.LabelCopyOf]
	if !place.HoldsCredentials() || isCopy || !secret.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	c, err := r.credentialOf(ctx, secret)
	_, pending := secret.Annotations[v1alpha1.AnnotationPending]
	switch {
	case err != nil:
		return ctrl.Result{}, err
	case c != nil && !c.DeletionTimestamp.IsZero():
		// Somebody who wants to keep the source has its owner taken off just now. When
		// the Credential is gone, that is a change.
		return ctrl.Result{}, nil
	case c != nil:
		return r.adopt(ctx, secret, c)
	case pending:
		return r.abandon(ctx, secret)
	}
	return ctrl.Result{}, nil
}

// credentialOf returns the Credential that a source was made for, nil if there is
// none that also refers to it.
func (r *reconciler) credentialOf(ctx context.Context, secret *metadata) (*v1alpha1.Credential, error) {
	var c v1alpha1.Credential
	key := types.NamespacedName{Namespace: secret.Namespace, Name: secret.Labels[v1alpha1.LabelSourceOf]}
	if err := r.cache.Get(ctx, key, &c); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if c.Spec.SecretRef.Name != secret.Name {
		return nil, nil
	}
	return &c, nil
}

// adopt makes a Credential the owner of its source. It is not the controller, for
// then no other tool that writes the Secret could be; and it does not block the
// owner's deletion, for which the API server may ask for rights on finalizers
// (OwnerReferencesPermissionEnforcement) and which would win nothing: the Secret
// goes after its owner, whose finalizer has removed the copies by then.
func (r *reconciler) adopt(ctx context.Context, secret *metadata, c *v1alpha1.Credential) (ctrl.Result, error) {
	owners, missing := ownersOf(secret, c)
	_, pending := secret.Annotations[v1alpha1.AnnotationPending]
	if !missing && !pending {
		return ctrl.Result{}, nil
	}
	operations := []jsonpatch.Operation{
		jsonpatch.NewOperation("test", "/metadata/uid", secret.UID),
		// What is written was computed from this version.
		jsonpatch.NewOperation("test", "/metadata/resourceVersion", secret.ResourceVersion),
		jsonpatch.NewOperation("add", "/metadata/ownerReferences", owners),
	}
	if pending {
		operations = append(operations, jsonpatch.NewOperation("remove", "/metadata/annotations/credence.dev~1pending", nil))
	}
	body, err := json.Marshal(operations)
	if err != nil {
		return ctrl.Result{}, err
	}
	key := client.ObjectKeyFromObject(secret)
	err = r.client.Patch(ctx, secret, client.RawPatch(types.JSONPatchType, body), client.FieldOwner(v1alpha1.FieldManager))
	switch {
	case apierrors.IsNotFound(err):
		return ctrl.Result{}, nil
	case apierrors.IsInvalid(err), apierrors.IsConflict(err):
		// Not what it was when it was seen. If the cache does not tell what it is now, it
		// is looked at again.
		return ctrl.Result{RequeueAfter: recheckInterval}, nil
	case err != nil:
		return ctrl.Result{}, answered("binding Secret "+key.String()+" to its credential", err)
	}
	log.FromContext(ctx).Info("Bound a source to its credential", "secret", key.String(), "credential", c.Name)
	return ctrl.Result{}, nil
}

// ownersOf returns the owners that a source is to have, and whether its Credential
// is missing among those that it has. One that had the same name and is gone would
// have it collected.
func ownersOf(secret *metadata, c *v1alpha1.Credential) (owners []metav1.OwnerReference, missing bool) {
	for _, owner := range secret.OwnerReferences {
		if owner.UID == c.UID {
			return secret.OwnerReferences, false
		}
	}
	kind := v1alpha1.GroupVersion.WithKind("Credential")
	owners = slices.DeleteFunc(slices.Clone(secret.OwnerReferences), func(owner metav1.OwnerReference) bool {
		return schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).GroupKind() == kind.GroupKind() && owner.Name == c.Name
	})
	return append(owners, metav1.OwnerReference{
		APIVersion: kind.GroupVersion().String(), Kind: kind.Kind, Name: c.Name, UID: c.UID,
	}), true
}

// abandon removes a source whose Credential did not come.
func (r *reconciler) abandon(ctx context.Context, secret *metadata) (ctrl.Result, error) {
	if wait := secret.CreationTimestamp.Add(pendingLifetime).Sub(r.clock.Now()); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	of := secret.Labels[v1alpha1.LabelSourceOf]
	if there, err := r.refersNow(ctx, secret.Namespace, of, secret.Name); err != nil || there {
		return ctrl.Result{RequeueAfter: recheckInterval}, err // the cache is about to tell
	}
	key := client.ObjectKeyFromObject(secret)
	err := r.client.Delete(ctx, secret, client.Preconditions{UID: &secret.UID, ResourceVersion: &secret.ResourceVersion})
	switch {
	case apierrors.IsNotFound(err):
		return ctrl.Result{}, nil
	case apierrors.IsConflict(err):
		return ctrl.Result{RequeueAfter: recheckInterval}, nil
	case err != nil:
		return ctrl.Result{}, answered("removing Secret "+key.String(), err)
	}
	r.recorder.Eventf(secret, nil, corev1.EventTypeNormal, eventAbandoned, actionCleanUp,
		"removed: it was made for credential %s, which did not come within %s", of, pendingLifetime)
	log.FromContext(ctx).Info("Removed a source whose credential did not come", "secret", key.String(), "credential", of)
	return ctrl.Result{}, nil
}

// refersNow asks the API server whether there is a Credential of a name that
// refers to a Secret. It asks for a list, because a resource that is missing is
// not found either, and that says nothing about the Credential.
func (r *reconciler) refersNow(ctx context.Context, namespace, name, secret string) (bool, error) {
	var list v1alpha1.CredentialList
	if err := r.live.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{"metadata.name": name}); err != nil {
		return false, fmt.Errorf("asking for Credential %s/%s: %w", namespace, name, err)
	}
	for i := range list.Items {
		if list.Items[i].Spec.SecretRef.Name == secret {
			return true, nil
		}
	}
	return false, nil
}

// answered is an error without the API server's words, which may quote a Secret.
func answered(doing string, err error) error {
	return fmt.Errorf("%s: the API server answers: %s", doing, copies.Answer(err))
}
