// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Withdraw lets a copy go once nobody needs it. This is the one way on which copies
// go, but for those whose users are to lose them. It returns why a copy has to wait,
// a zero outcome if it is gone.
//
// The API server has no way to delete a Secret only if no pod refers to it. So a pod
// that is stored between the last list and the deletion gets the copy back.
func (w *Writer) Withdraw(ctx context.Context, wanted Wanted, c Copy) (Outcome, error) {
	hold, secret, err := w.clear(ctx, wanted.UID, c)
	if err != nil || hold.Reason != "" || secret == nil {
		return hold, err
	}
	w.owed.note(wanted, owedCopy{c, c.again(secret)})
	err = w.remove(ctx, c)
	if err != nil && isRefusal(err) {
		w.owed.settle(wanted, c.NamespacedName)
		return Outcome{}, err
	}
	if wanted.Ending {
		w.owed.remember(wanted.like(c, secret))
	}
	// Without an answer it may have been deleted all the same.
	if hold, settleErr := w.settle(ctx, wanted, c.NamespacedName); settleErr != nil || hold.Reason != "" {
		return hold, settleErr
	}
	return Outcome{}, err
}

// clear makes sure that nobody needs a copy, and reads it. It returns why the copy has
// to wait; without that, and without a Secret, there is none any more.
func (w *Writer) clear(ctx context.Context, credential types.UID, c Copy) (Outcome, *corev1.Secret, error) {
	if hold, waits := w.drain.waits(credential, c); waits {
		return hold, nil, nil
	}
	if !w.drain.begun(credential, c) {
		if hold, _ := w.drain.list(ctx, credential, c); !w.drain.begun(credential, c) {
			return hold, nil, nil
		}
		if hold, waits := w.drain.waits(credential, c); waits {
			return hold, nil, nil
		}
	}
	// Before the list, so that the deletion follows that at once.
	secret := &corev1.Secret{}
	if err := w.Reader.Get(ctx, c.NamespacedName, secret); err != nil {
		return Outcome{}, nil, client.IgnoreNotFound(err)
	}
	if secret.UID != c.UID || secret.ResourceVersion != c.ResourceVersion {
		return Outcome{}, nil, apierrors.NewConflict(corev1.Resource("secrets"), c.Name, errChanged)
	}
	if hold, free := w.drain.list(ctx, credential, c); !free {
		return hold, nil, nil
	}
	return Outcome{}, secret, nil
}

var errChanged = errors.New("the copy was changed meanwhile")

// remove deletes a copy. It makes sure that it is just as it was seen: one that was
// changed or made again meanwhile is a conflict.
func (w *Writer) remove(ctx context.Context, c Copy) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := client.IgnoreNotFound(w.Client.Delete(ctx, named(c.NamespacedName), client.Preconditions{
		UID:             &c.UID,
		ResourceVersion: &c.ResourceVersion,
	}))
	w.count("delete", err)
	if err != nil {
		return fmt.Errorf("deleting copy %s: %w", c.NamespacedName, err)
	}
	return nil
}

// isRefusal says whether the API server answered that it did not do something.
func isRefusal(err error) bool {
	code := status(err).Code
	return code >= 400 && code < 500
}

// settle asks whether a pod needs a copy that was deleted a moment ago, and makes it
// again if so. What cannot be found out is owed until it is.
func (w *Writer) settle(ctx context.Context, wanted Wanted, key types.NamespacedName) (Outcome, error) {
	back, ok := w.owed.get(wanted.UID, key)
	if !ok {
		return Outcome{}, nil
	}
	by, err := w.drain.holders.Live(ctx, key)
	if err != nil {
		return Outcome{Reason: v1alpha1.IssueDraining,
			Message: fmt.Sprintf("it was removed, and whether a pod needs it could not be found out (%s)", Answer(err))}, nil
	}
	if by == "" {
		w.owed.settle(wanted, key)
		return Outcome{}, nil
	}
	err = client.IgnoreAlreadyExists(w.Client.Create(ctx, back.secret.DeepCopy(), client.FieldOwner(v1alpha1.FieldManager)))
	w.count("return", err)
	if err != nil {
		return Outcome{}, fmt.Errorf("making copy %s again: %w", key, err)
	}
	w.owed.settle(wanted, key)
	return Outcome{Exists: true, Reason: v1alpha1.IssueInUse, Message: "still used by " + by, After: later}, nil
}

// again is what a copy has to be to be as it was, without what others added to it.
func (c Copy) again(was *corev1.Secret) *corev1.Secret {
	back := Wanted{}.like(c, was).secret(c.Namespace)
	if at, ok := was.Annotations[v1alpha1.AnnotationRotatedAt]; ok {
		back.Annotations[v1alpha1.AnnotationRotatedAt] = at
	}
	return back
}

// like is what copies are to be to be like one that was there.
func (w Wanted) like(c Copy, was *corev1.Secret) Wanted {
	w.Credential.Name, w.UID, w.Name, w.Type = c.CredentialName, c.CredentialUID, c.Name, was.Type
	return w.Fill(was.Data, c.Fingerprint)
}

// Release makes a copy an ordinary Secret: it takes our marks off and leaves the
// rest.
func (w *Writer) Release(ctx context.Context, c Copy) error {
	err := w.patch(ctx, named(c.NamespacedName), append(c.unchanged(),
		jsonpatch.NewOperation("remove", pointer("metadata", "labels", v1alpha1.LabelCopyOf), nil),
		jsonpatch.NewOperation("remove", pointer("metadata", "labels", v1alpha1.LabelManagedBy), nil),
		jsonpatch.NewOperation("remove", pointer("metadata", "annotations", v1alpha1.AnnotationCopyOfUID), nil),
		jsonpatch.NewOperation("remove", pointer("metadata", "annotations", v1alpha1.AnnotationFingerprint), nil),
		// To remove what is not there is an error, so it is there first.
		jsonpatch.NewOperation("add", pointer("metadata", "annotations", v1alpha1.AnnotationRotatedAt), "released"),
		jsonpatch.NewOperation("remove", pointer("metadata", "annotations", v1alpha1.AnnotationRotatedAt), nil),
	))
	err = client.IgnoreNotFound(err)
	w.count("release", err)
	if err != nil {
		return fmt.Errorf("releasing copy %s: %w", c.NamespacedName, err)
	}
	return nil
}

// unchanged tests that a Secret still is the copy that was seen: the same object,
// with the marks that make it ours, and written by nobody of us meanwhile.
func (c Copy) unchanged() []jsonpatch.Operation {
	return []jsonpatch.Operation{
		jsonpatch.NewOperation("test", pointer("metadata", "uid"), c.UID),
		jsonpatch.NewOperation("test", pointer("metadata", "labels", v1alpha1.LabelCopyOf), c.CredentialName),
		jsonpatch.NewOperation("test", pointer("metadata", "labels", v1alpha1.LabelManagedBy), v1alpha1.ManagedByCredence),
		jsonpatch.NewOperation("test", pointer("metadata", "annotations", v1alpha1.AnnotationCopyOfUID), c.CredentialUID),
		jsonpatch.NewOperation("test", pointer("metadata", "annotations", v1alpha1.AnnotationFingerprint), c.Fingerprint),
	}
}

// patch sends a JSON patch and leaves in secret what the API server answers: the
// metadata, without the values.
func (w *Writer) patch(ctx context.Context, secret *metav1.PartialObjectMetadata, operations []jsonpatch.Operation) error {
	body, err := json.Marshal(operations)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return w.Client.Patch(ctx, secret, client.RawPatch(types.JSONPatchType, body), client.FieldOwner(v1alpha1.FieldManager))
}
