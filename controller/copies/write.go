// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Outcome is how one namespace fares.
type Outcome struct {
	// Exists says that there is a copy, Current that it has the source's values.
	Exists, Current bool
	// Reason is an Issue… constant, empty if nothing is known to stand in the way;
	// Message says it in words.
	Reason, Message string
}

// create makes the first copy in a namespace by POST, which takes nothing over:
// a forced server-side apply would make a Secret ours that somebody created in
// this moment.
func (w *Writer) create(ctx context.Context, wanted Wanted, namespace string) (Outcome, *metav1.PartialObjectMetadata) {
	key := types.NamespacedName{Namespace: namespace, Name: wanted.Name}
	if w.backoff.get(wanted.UID, key).outcome.Reason == v1alpha1.IssueNameTaken {
		// A look costs less than a POST, which admission would see each time.
		if outcome, live := w.examine(ctx, wanted, key); outcome.Reason != "" || outcome.Exists {
			return outcome, live
		}
	}
	secret := wanted.secret(namespace)
	err := w.Client.Create(ctx, secret, client.FieldOwner(v1alpha1.FieldManager))
	w.count("create", client.IgnoreAlreadyExists(err))
	switch {
	case err == nil:
		return Outcome{Exists: true, Current: true}, written(secret)
	case apierrors.IsAlreadyExists(err):
		return w.examine(ctx, wanted, key)
	}
	return wanted.refused(err), nil
}

// examine looks at the Secret that has the name of a copy: one of ours that the
// informer does not show yet, or another's. There is no informer for those, so
// that their going is found by asking again, with the back-off of the namespace.
func (w *Writer) examine(ctx context.Context, wanted Wanted, key types.NamespacedName) (Outcome, *metav1.PartialObjectMetadata) {
	live := Secret()
	if err := w.Reader.Get(ctx, key, live); apierrors.IsNotFound(err) {
		return Outcome{}, nil
	} else if err != nil {
		return wanted.refused(err), nil
	}
	c, ours := Read(live)
	if !ours || c.CredentialUID != wanted.UID {
		return taken(wanted), nil
	}
	if wanted.refresh(c) == Keep {
		return Outcome{Exists: true, Current: true}, live
	}
	return w.rewrite(ctx, wanted, c)
}

func taken(wanted Wanted) Outcome {
	return Outcome{Reason: v1alpha1.IssueNameTaken,
		Message: fmt.Sprintf("another Secret has the name %s; it is left as it is: rename or remove it", wanted.Name)}
}

// rewrite brings a copy up to date, if it is the one that was seen and still ours.
//
// It is a JSON patch and not a server-side apply, because apply removes only what
// it applied before: a key that left the source would stay from the POST, and a
// key that somebody added would stay for good. This replaces the data as a whole
// in one write, tests the marks together with the UID, and leaves other labels
// and annotations alone. A test that fails is answered 422.
func (w *Writer) rewrite(ctx context.Context, wanted Wanted, c Copy) (Outcome, *metav1.PartialObjectMetadata) {
	secret := named(c.NamespacedName)
	err := w.patch(ctx, secret, append(c.unchanged(),
		operation{Op: "add", Path: pointer("metadata", "annotations", v1alpha1.AnnotationFingerprint), Value: wanted.Fingerprint},
		operation{Op: "add", Path: pointer("data"), Value: wanted.values},
	))
	w.count("update", err)
	if err == nil {
		w.settle(secret)
		return Outcome{Exists: true, Current: true}, secret
	}
	if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) && !w.still(ctx, c) {
		// Not what it was when it was seen. The informer will tell what it is now.
		return Outcome{Exists: true}, nil
	}
	if apierrors.IsInvalid(err) && strings.Contains(err.Error(), "immutable") {
		return w.replace(ctx, wanted, c)
	}
	outcome := wanted.refused(err)
	outcome.Exists = true
	return outcome, nil
}

// still says whether a Secret is the copy that was seen. If that cannot be told,
// it is.
func (w *Writer) still(ctx context.Context, c Copy) bool {
	live := Secret()
	if err := w.Reader.Get(ctx, c.NamespacedName, live); err != nil {
		return !apierrors.IsNotFound(err)
	}
	now, ours := Read(live)
	return ours && now.UID == c.UID && now.CredentialUID == c.CredentialUID && now.CredentialName == c.CredentialName
}

// replace makes a copy again that cannot be written, because somebody made it
// immutable.
func (w *Writer) replace(ctx context.Context, wanted Wanted, c Copy) (Outcome, *metav1.PartialObjectMetadata) {
	if err := w.Withdraw(ctx, c); err != nil {
		return Outcome{Exists: true, Reason: v1alpha1.IssueCopyBlocked,
			Message: fmt.Sprintf("Secret %s is immutable; it is being made again", wanted.Name)}, nil
	}
	return w.create(ctx, wanted, c.Namespace)
}

// settle remembers a copy that was just written and still has another writer on
// record: one that wrote the same values as we did. Writing again would not
// change that, so it is not tried until the copy changes.
func (w *Writer) settle(secret *metav1.PartialObjectMetadata) {
	if len(foreignWriters(secret.ManagedFields)) > 0 {
		w.settled.Store(secret.UID, secret.ResourceVersion)
	}
}

// isSettled says whether a copy that looks edited was found to be in order.
func (w *Writer) isSettled(c Copy) bool {
	version, ok := w.settled.Load(c.UID)
	return ok && version == c.ResourceVersion
}

func named(key types.NamespacedName) *metav1.PartialObjectMetadata {
	secret := Secret()
	secret.Namespace, secret.Name = key.Namespace, key.Name
	return secret
}

func written(object client.Object) *metav1.PartialObjectMetadata {
	secret := named(client.ObjectKeyFromObject(object))
	secret.UID, secret.ResourceVersion = object.GetUID(), object.GetResourceVersion()
	return secret
}

// escaper escapes a part of a JSON pointer.
var escaper = strings.NewReplacer("~", "~0", "/", "~1")

// pointer makes a JSON pointer.
func pointer(parts ...string) string {
	var path strings.Builder
	for _, part := range parts {
		path.WriteString("/" + escaper.Replace(part))
	}
	return path.String()
}
