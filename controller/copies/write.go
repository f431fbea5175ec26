// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
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

	// After is when to look again at what did not fail but has to wait.
	After time.Duration
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
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
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

// rewrite brings a copy up to date, if it is the one that was seen and still ours,
// or was that of a gone credential: it is then this one's.
//
// It is a JSON patch and not a server-side apply, because apply removes only what
// it applied before: a key that left the source would stay from the POST, and a
// key that somebody added would stay for good. This replaces the data as a whole
// in one write, tests the marks together with the UID, and leaves other labels
// and annotations alone. A test that fails is answered 422.
func (w *Writer) rewrite(ctx context.Context, wanted Wanted, c Copy) (Outcome, *metav1.PartialObjectMetadata) {
	rotates := Changed(c.Fingerprint, wanted.Fingerprint)
	if c.Edited && !rotates {
		live, err := w.look(ctx, c)
		switch {
		case err != nil:
			outcome := wanted.refused(err)
			outcome.Exists = true
			return outcome, nil
		case live == nil:
			return Outcome{Exists: true}, nil
		case wanted.settles(live, c):
			secret := metadataOf(live)
			w.settled.note(wanted.UID, secret)
			return Outcome{Exists: true, Current: true}, secret
		}
		rotates = !equal(live.Data, wanted.values)
	}
	secret := named(c.NamespacedName)
	err := w.patch(ctx, secret, w.update(wanted, c, rotates))
	w.count("update", err)
	if err == nil {
		w.settled.note(wanted.UID, secret)
		return Outcome{Exists: true, Current: true}, secret
	}
	return w.notRewritten(ctx, wanted, c, err)
}

// update is the patch that makes a copy what is wanted.
func (w *Writer) update(wanted Wanted, c Copy, rotates bool) []jsonpatch.Operation {
	operations := append(c.unchanged(),
		jsonpatch.NewOperation("test", pointer("type"), wanted.Type),
		jsonpatch.NewOperation("add", pointer("metadata", "annotations", v1alpha1.AnnotationCopyOfUID), wanted.UID),
		jsonpatch.NewOperation("add", pointer("metadata", "annotations", v1alpha1.AnnotationFingerprint), wanted.Fingerprint),
		jsonpatch.NewOperation("add", pointer("data"), wanted.values),
	)
	if rotates {
		operations = append(operations, jsonpatch.NewOperation("add",
			pointer("metadata", "annotations", v1alpha1.AnnotationRotatedAt), w.Clock.Now().UTC().Format(time.RFC3339)))
	}
	return operations
}

// notRewritten finds out why a copy was not. The text of an answer is nothing to
// go by; what cannot be written at all shows in the Secret.
func (w *Writer) notRewritten(ctx context.Context, wanted Wanted, c Copy, err error) (Outcome, *metav1.PartialObjectMetadata) {
	if apierrors.IsNotFound(err) {
		return Outcome{Exists: true}, nil
	}
	if apierrors.IsInvalid(err) {
		live, lookErr := w.look(ctx, c)
		switch {
		case lookErr != nil:
		case live == nil:
			// Not what it was when it was seen. The informer will tell what it is now.
			return Outcome{Exists: true}, nil
		case live.Type != wanted.Type, live.Immutable != nil && *live.Immutable:
			c.ResourceVersion = live.ResourceVersion
			return w.replace(ctx, wanted, c)
		}
	}
	outcome := wanted.refused(err)
	outcome.Exists = true
	return outcome, nil
}

// look reads a copy with its values, nil if it is not the one that was seen any
// more. Nothing of the values is kept.
func (w *Writer) look(ctx context.Context, c Copy) (*corev1.Secret, error) {
	live := &corev1.Secret{}
	if err := w.Reader.Get(ctx, c.NamespacedName, live); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	now, ours := Read(metadataOf(live))
	if !ours || now.UID != c.UID || now.CredentialUID != c.CredentialUID || now.CredentialName != c.CredentialName || now.Fingerprint != c.Fingerprint {
		return nil, nil
	}
	return live, nil
}

// settles says whether a copy that somebody wrote is all the same as it is to be.
func (w Wanted) settles(live *corev1.Secret, c Copy) bool {
	return c.CredentialUID == w.UID && c.Fingerprint == w.Fingerprint && live.Type == w.Type && equal(live.Data, w.values)
}

func equal(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) }

func metadataOf(secret *corev1.Secret) *metav1.PartialObjectMetadata {
	all := named(client.ObjectKeyFromObject(secret))
	all.ObjectMeta = secret.ObjectMeta
	return all
}

// replace makes a copy again that cannot be written, because it is immutable or of
// another type. Until nobody uses it, it stays with what it has.
func (w *Writer) replace(ctx context.Context, wanted Wanted, c Copy) (Outcome, *metav1.PartialObjectMetadata) {
	blocked := func(why Outcome) (Outcome, *metav1.PartialObjectMetadata) {
		return Outcome{Exists: true, Reason: v1alpha1.IssueCopyBlocked, After: why.After, Message: fmt.Sprintf(
			"Secret %s is immutable or of another type, and to be made again it has to be removed first: %s", wanted.Name, why.Message)}, nil
	}
	hold, secret, err := w.clear(ctx, wanted.UID, c)
	if err == nil && secret != nil {
		err = w.remove(ctx, c)
	}
	switch {
	case err != nil:
		return blocked(wanted.refused(err))
	case hold.Reason != "":
		return blocked(hold)
	}
	return w.create(ctx, wanted, c.Namespace)
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
