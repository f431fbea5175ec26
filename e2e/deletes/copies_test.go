// SPDX-License-Identifier: Apache-2.0

package deletes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

const (
	ofOpenAI = `it is the copy of credential "openai" that Credence keeps here; change or delete the credential or its source, and the copy follows`
	notYours = "the label credence.dev/copy-of is for copies, which Credence makes itself: restore or create the credential and its source, " +
		"and leave the copies out; a Secret of your own goes without the label"
)

// copyOf reads the copy of openai in a namespace.
func copyOf(t *testing.T, namespace string) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{}
	poll(t, "there is a copy", func(ctx context.Context) error {
		return cluster.Client().Get(ctx, client.ObjectKey{Namespace: namespace, Name: "genericsecret-openai"}, secret)
	})
	return secret
}

// copies tries what somebody might do with copies who may do all with Secrets.
func copies(t *testing.T) {
	copiesAreKept(t)
	t.Run("other Secrets are free", func(t *testing.T) { othersAreFree(t) })
	t.Run("one that lacks a mark is free", func(t *testing.T) { unmarkedIsFree(t) })
	t.Run("a finalizer may go", func(t *testing.T) { finalizerOfACopy(t) })
	t.Run("the controller may do all", func(t *testing.T) {
		// It is the only account of Credence that may.
		here := copyOf(t, teamB)
		for account, allowed := range map[string]bool{"credence-controller": true, "credence-webhook": false} {
			as := as(t, "system:serviceaccount:"+local.InstallNamespace+":"+account, editors)
			err := as.Delete(t.Context(), here.DeepCopy(), client.DryRunAll)
			if (err == nil) != allowed {
				t.Errorf("%s deletes a copy: %v", account, err)
			}
		}
	})
}

// change is an update of a Secret.
func change(secret *corev1.Secret, how func(*corev1.Secret)) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error {
		changed := secret.DeepCopy()
		how(changed)
		return c.Update(ctx, changed)
	}
}

func copiesAreKept(t *testing.T) {
	here := copyOf(t, teamA)
	restored := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: teamA, Name: "restored", Labels: here.Labels, Annotations: here.Annotations}, Data: here.Data}
	applied := func(text string, options ...client.PatchOption) func(context.Context, client.Client) error {
		return func(ctx context.Context, c client.Client) error {
			return c.Patch(ctx, here.DeepCopy(), client.RawPatch(types.ApplyPatchType, []byte(text)), append(options, client.FieldOwner("somebody"))...)
		}
	}
	own := map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": here.Name, "namespace": here.Namespace}, "data": here.Data}
	same, err := json.Marshal(own)
	if err != nil {
		t.Fatal(err)
	}
	const head = `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "genericsecret-openai", "namespace": "team-a"`
	for name, test := range map[string]struct {
		do    func(context.Context, client.Client) error
		words string
	}{
		"delete": {func(ctx context.Context, c client.Client) error { return c.Delete(ctx, here.DeepCopy()) }, ofOpenAI},
		"dry run": {func(ctx context.Context, c client.Client) error {
			return c.Delete(ctx, here.DeepCopy(), client.DryRunAll)
		}, ofOpenAI},
		"delete a collection": {func(ctx context.Context, c client.Client) error {
			return c.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace(teamA), client.MatchingLabels{v1alpha1.LabelCopyOf: "openai"})
		}, ofOpenAI},
		"change a value":        {change(here, func(s *corev1.Secret) { s.Data = map[string][]byte{"api-key": []byte("not-a-secret-either")} }), ofOpenAI},
		"add a value":           {change(here, func(s *corev1.Secret) { s.StringData = map[string]string{"more": "not-a-secret"} }), ofOpenAI},
		"take the label off":    {change(here, func(s *corev1.Secret) { delete(s.Labels, v1alpha1.LabelCopyOf) }), ofOpenAI},
		"take a mark off":       {change(here, func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.AnnotationFingerprint) }), ofOpenAI},
		"take all labels off":   {change(here, func(s *corev1.Secret) { s.Labels = nil }), ofOpenAI},
		"label it as another":   {change(here, func(s *corev1.Secret) { s.Labels[v1alpha1.LabelCopyOf] = "other" }), ofOpenAI},
		"annotate it":           {change(here, func(s *corev1.Secret) { s.Annotations["a"] = "b" }), ofOpenAI},
		"give it an owner":      {change(here, func(s *corev1.Secret) { s.OwnerReferences = nobody }), ofOpenAI},
		"give it a finalizer":   {change(here, func(s *corev1.Secret) { s.Finalizers = []string{"example.com/hold"} }), ofOpenAI},
		"make it immutable":     {change(here, func(s *corev1.Secret) { s.Immutable = new(true) }), ofOpenAI},
		"apply another value":   {applied(head+`}, "stringData": {"api-key": "not-a-secret-either"}}`, client.ForceOwnership), ofOpenAI},
		"apply a label":         {applied(head + `, "labels": {"a": "b"}}}`), ofOpenAI},
		"apply what is there":   {applied(string(same)), ofOpenAI},
		"restore from a backup": {func(ctx context.Context, c client.Client) error { return c.Create(ctx, restored.DeepCopy()) }, notYours},
		"create with the label": {func(ctx context.Context, c client.Client) error {
			forged := source(teamA, "forged", v1alpha1.LabelCopyOf, "openai")
			return c.Create(ctx, forged)
		}, notYours},
		"create by applying": {func(ctx context.Context, c client.Client) error {
			forged := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: teamA, Name: "applied"}}
			return c.Patch(ctx, forged, client.RawPatch(types.ApplyPatchType, []byte(`{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "applied", "labels": {"credence.dev/copy-of": "openai"}}}`)), client.FieldOwner("somebody"))
		}, notYours},
	} {
		poll(t, name, func(ctx context.Context) error {
			if err := refused(test.do(ctx, jane(t)), byCopies, test.words); err != nil {
				return err
			}
			return nil
		})
	}
	stays(t, here)
	// Nothing is no change: keys of encryption are rotated so.
	if err := change(here, func(*corev1.Secret) {})(t.Context(), jane(t)); err != nil {
		t.Errorf("writing what is there: %v", err)
	}
}

// nobody owns what has this owner.
var nobody = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "nobody", UID: "b1d5c5a8-7c5f-4a86-9d3b-000000000000"}}

// othersAreFree does all with a Secret that is nobody's copy, but for making it one.
func othersAreFree(t *testing.T) {
	jane, own := jane(t), source(teamA, "free", "a", "b")
	if err := jane.Create(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	own.Labels["c"], own.Finalizers, own.Data = "d", []string{"example.com/hold"}, map[string][]byte{"api-key": []byte("not-a-secret-either")}
	if err := jane.Update(t.Context(), own); err != nil {
		t.Error(err)
	}
	labelled := own.DeepCopy()
	labelled.Labels[v1alpha1.LabelCopyOf] = "openai"
	if err := refused(jane.Update(t.Context(), labelled), byCopies, notYours); err != nil {
		t.Error(err)
	}
	own.Finalizers = nil
	if err := errors.Join(jane.Update(t.Context(), own), jane.Delete(t.Context(), own)); err != nil {
		t.Error(err)
	}
}

// unmarkedIsFree: a Secret that has the label and not all the marks, which it can have
// only from before the policies were there, is its owner's to remove.
func unmarkedIsFree(t *testing.T) {
	controller := as(t, "system:serviceaccount:"+local.InstallNamespace+":credence-controller", editors)
	old := source(teamA, "old", v1alpha1.LabelCopyOf, "openai")
	if err := controller.Create(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	jane := jane(t)
	forged := old.DeepCopy()
	forged.Labels[v1alpha1.LabelManagedBy] = v1alpha1.ManagedByCredence
	forged.Annotations = map[string]string{v1alpha1.AnnotationCopyOfUID: "u", v1alpha1.AnnotationFingerprint: "k:1"}
	if err := refused(jane.Update(t.Context(), forged), byCopies, notYours); err != nil {
		t.Error(err)
	}
	old.Labels["a"] = "b"
	if err := jane.Update(t.Context(), old); err != nil {
		t.Error(err)
	}
	if err := jane.Delete(t.Context(), old); err != nil {
		t.Error(err)
	}
}

// finalizerOfACopy: nothing keeps a copy that is being deleted from losing a finalizer.
func finalizerOfACopy(t *testing.T) {
	controller := as(t, "system:serviceaccount:"+local.InstallNamespace+":credence-controller", editors)
	held := copyOf(t, teamB).DeepCopy()
	held.ObjectMeta = metav1.ObjectMeta{Namespace: teamB, Name: "held", Labels: held.Labels, Annotations: held.Annotations, Finalizers: []string{"example.com/hold"}}
	held.Labels[v1alpha1.LabelCopyOf] = "of-nothing"
	held.Data = map[string][]byte{"large": bytes.Repeat([]byte("x"), 1000<<10)} // what there may be, and CEL has to compare
	if err := errors.Join(controller.Create(t.Context(), held), controller.Delete(t.Context(), held)); err != nil {
		t.Fatal(err)
	}
	poll(t, "the finalizer goes", func(ctx context.Context) error {
		if err := client.IgnoreNotFound(jane(t).Get(ctx, client.ObjectKeyFromObject(held), held)); err != nil {
			return err
		}
		more := held.DeepCopy()
		more.Finalizers, more.Labels["a"] = nil, "b"
		if err := jane(t).Update(ctx, more); err == nil {
			return errors.New("and more than that may change")
		}
		held.Finalizers = nil
		return jane(t).Update(ctx, held)
	})
	gone(t, held)
}
