// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller"
)

// made makes a source as it is made together with a Credential.
func (w *world) made(namespace, name, of string, change func(*corev1.Secret)) *corev1.Secret {
	w.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name,
			Labels:      map[string]string{v1alpha1.LabelSourceOf: of},
			Annotations: map[string]string{v1alpha1.AnnotationPending: "", "example.com/kept": "yes"}},
		Data: bytes(kinds[v1alpha1.Generic].data),
	}
	if change != nil {
		change(secret)
	}
	w.must(w.Create(w.Context(), secret))
	return secret
}

func settled(secret *corev1.Secret) { delete(secret.Annotations, v1alpha1.AnnotationPending) }

// referring makes a Credential of one name that refers to a source of another.
func (w *world) referring(name, secret string) *v1alpha1.Credential {
	w.Helper()
	c := &v1alpha1.Credential{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.layout.SystemNamespace, Name: name},
		Spec:       v1alpha1.CredentialSpec{Type: v1alpha1.Generic, Scope: clusterScope, SecretRef: v1alpha1.SecretReference{Name: secret}},
	}
	w.must(w.Create(w.Context(), c))
	return c
}

// adopted waits until a source belongs to a Credential and is not pending.
func (w *world) adopted(source *corev1.Secret, c *v1alpha1.Credential, others ...metav1.OwnerReference) {
	w.Helper()
	want := append(others, metav1.OwnerReference{APIVersion: "credence.dev/v1alpha1", Kind: "Credential", Name: c.Name, UID: c.UID})
	w.eventually("the source is adopted", func() error {
		now := w.secret(source.Namespace, source.Name)
		if _, pending := now.Annotations[v1alpha1.AnnotationPending]; pending {
			return errors.New("it is pending")
		}
		if diff := cmp.Diff(want, now.OwnerReferences); diff != "" {
			return fmt.Errorf("owners (-want +got):\n%s", diff)
		}
		if now.UID != source.UID || !cmp.Equal(now.Data, source.Data) || now.Annotations["example.com/kept"] != "yes" || !cmp.Equal(now.Labels, source.Labels) {
			return errors.New("something else of it changed")
		}
		return nil
	})
}

func TestNewSourceIsAdopted(t *testing.T) {
	w := newWorld(t)
	w.project("a", "")
	w.run()
	source := w.made(w.layout.SystemNamespace, "openai-key", "openai", nil)
	c := w.referring("openai", "openai-key")
	w.adopted(source, c)
	w.spread(c, 1)

	// Not again, and not by a controller that starts.
	w.sent.reset()
	w.settle(c)
	w.run()
	w.settle(c)
	w.settle(c)
	if writes := w.sent.writes("openai-key"); len(writes) > 0 {
		t.Errorf("it is written again: %q", writes)
	}

	// It comes back from a repository, or by hand, with another owner.
	w.must(w.Delete(w.Context(), source))
	other := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "1", Controller: new(true)}
	source = w.made(source.Namespace, source.Name, "openai", func(s *corev1.Secret) {
		settled(s)
		s.OwnerReferences = []metav1.OwnerReference{other}
	})
	w.adopted(source, c, other)

	// And the Credential comes back from a backup, with another UID.
	w.must(w.Delete(w.Context(), c))
	w.gone(c)
	c = w.referring("openai", "openai-key")
	w.adopted(source, c, other)
	for _, request := range w.sent.writes("openai-key") {
		if !strings.HasPrefix(request, "PATCH ") {
			t.Errorf("a source was written as a whole: %s", request)
		}
	}
}

// TestNotAdopted has what is labelled like a new source and is not this one's.
func TestNotAdopted(t *testing.T) {
	w := newWorld(t)
	w.project("a", "")
	plain := w.namespace("plain", nil)
	w.run()
	system := w.layout.SystemNamespace
	elsewhere := w.made(plain, "key", "key", nil)
	w.must(w.Create(w.Context(), &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: plain, Name: "key"}, Spec: v1alpha1.CredentialSpec{
		Type: v1alpha1.Generic, Scope: projectScope, SecretRef: v1alpha1.SecretReference{Name: "key"}}}))
	second := w.made(system, "second", "key", nil)
	install := w.made(w.layout.InstallNamespace, "first", "key", nil)
	copied := w.made(system, "copied", "copied", func(s *corev1.Secret) { s.Labels[v1alpha1.LabelCopyOf] = "key" })
	w.referring("copied", "copied")
	first := w.made(system, "first", "key", nil)
	c := w.referring("key", "first")
	w.adopted(first, c) // which is later than the others
	for _, secret := range []*corev1.Secret{elsewhere, second, install, copied} {
		now := w.secret(secret.Namespace, secret.Name)
		if _, pending := now.Annotations[v1alpha1.AnnotationPending]; !pending || len(now.OwnerReferences) > 0 {
			t.Errorf("%s/%s was written: %v", secret.Namespace, secret.Name, now.ObjectMeta)
		}
	}
	// A plain namespace becomes a project.
	w.relabel(w.namespaceNamed(plain), w.layout.ProjectLabel, "plain")
	var there v1alpha1.Credential
	w.must(w.Get(w.Context(), types.NamespacedName{Namespace: plain, Name: "key"}, &there))
	w.adopted(elsewhere, &there)
	// The credential turns to another source, which was made for that.
	w.change(c, func() { c.Spec.SecretRef.Name = "second" })
	w.adopted(second, c)
}

// TestSourceGoesAfterItsCredential: the finalizer holds the Credential until its
// copies are gone, and its source has an owner that long.
func TestSourceGoesAfterItsCredential(t *testing.T) {
	w := newWorld(t)
	strict := w.project("strict", "")
	w.run()
	source := w.made(w.layout.SystemNamespace, "made", "openai", nil)
	c := w.referring("openai", "made")
	w.adopted(source, c)
	w.spread(c, 1)
	policy, binding := w.refuseSecrets(strict)
	w.must(w.Delete(w.Context(), c))
	w.status(c, "held back", func(s v1alpha1.CredentialStatus) bool { return s.IssuesTotal == 1 })
	now := w.secret(source.Namespace, source.Name)
	if len(now.OwnerReferences) != 1 || now.OwnerReferences[0].UID != c.UID || now.OwnerReferences[0].BlockOwnerDeletion != nil {
		t.Errorf("its owners are %v", now.OwnerReferences)
	}
	// Who deletes with --cascade=orphan has the garbage collector take the owner off.
	w.change(now, func() { now.OwnerReferences = nil })
	w.must(w.Delete(w.Context(), binding))
	w.must(w.Delete(w.Context(), policy))
	w.gone(c)
	w.noCopies(strict)
	if left := w.secret(source.Namespace, source.Name); left == nil || len(left.OwnerReferences) > 0 {
		t.Errorf("what was to be kept is %v", left)
	}
}

// TestPendingIsCleanedUp moves the clock to the tenth minute.
func TestPendingIsCleanedUp(t *testing.T) {
	w := newWorld(t)
	w.project("a", "")
	plain := w.namespace("plain", nil)
	clock := clocktesting.NewFakePassiveClock(time.Now())
	w.configure = func(o *controller.Options) { o.Clock = clock }
	w.run()
	system := w.layout.SystemNamespace
	w.made(system, "other", "key", nil)
	w.referring("key", "other")
	lost := w.made(system, "lost", "never-came", nil)
	loser := w.made(system, "loser", "key", nil) // of that name, there is another
	kept := []*corev1.Secret{
		w.made(system, "settled", "never-came", settled),
		w.made(plain, "elsewhere", "never-came", nil),
		w.made(system, "copied", "never-came", func(s *corev1.Secret) { s.Labels[v1alpha1.LabelCopyOf] = "x" }),
	}
	all := append([]*corev1.Secret{lost, loser}, kept...)
	look := func() { // at all of them
		w.nudges++
		for _, secret := range all {
			w.relabel(secret, "nudge", fmt.Sprint(w.nudges))
		}
		late := w.made(system, fmt.Sprintf("late-%d", w.nudges), fmt.Sprintf("late-%d", w.nudges), nil)
		w.adopted(late, w.referring(late.Name, late.Name)) // there is one worker, and what came before is done
	}
	clock.SetTime(lost.CreationTimestamp.Add(10*time.Minute - time.Second))
	look()
	if writes := w.sent.writes("/secrets/lo"); len(writes) > 0 {
		t.Fatalf("too early: %q", writes)
	}
	clock.SetTime(loser.CreationTimestamp.Add(10 * time.Minute))
	for _, secret := range []*corev1.Secret{lost, loser} { // it may be gone already
		nudge := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"nudge":"now"}}}`))
		w.must(client.IgnoreNotFound(w.Patch(w.Context(), secret, nudge)))
	}
	w.gone(lost)
	w.gone(loser)
	all = kept
	look()
	for _, secret := range kept {
		if w.secret(secret.Namespace, secret.Name) == nil {
			t.Errorf("%s/%s is gone", secret.Namespace, secret.Name)
		}
	}
	w.eventually("it is told", func() error {
		for _, event := range w.eventsIn(system) {
			if event.Reason == "SourceAbandoned" && event.Regarding.Name == "lost" && strings.Contains(event.Note, "never-came") {
				return nil
			}
		}
		return errors.New("no event")
	})
}
