// SPDX-License-Identifier: Apache-2.0

package deletes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// annotate sets an annotation, as a merge patch.
func annotate(ctx context.Context, c client.Client, object client.Object, name, value string) error {
	patch := fmt.Sprintf(`{"metadata": {"annotations": {%q: %q}}}`, name, value)
	return c.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch)))
}

// forced lets a credential in use go, and its source: for those with the right.
func forced(t *testing.T) {
	const needs = `needs the right "forcedelete" on clusters.credence.dev/local`
	c, secret := wide("urgent", "urgent"), source(system, "urgent", "run.ai/cluster-wide", "true")
	made(t, secret, c, web(teamA, "urgent", v1alpha1.AnnotationCredentials, "urgent"))
	used(t, c, 1)
	john := as(t, "john", editors, forcers)
	for _, object := range []client.Object{secret, c} {
		err := annotate(t.Context(), jane(t), object.DeepCopyObject().(client.Object), v1alpha1.AnnotationForceDelete, "true")
		if err == nil || !strings.HasSuffix(err.Error(), needs) {
			t.Errorf("%T without the right: %v", object, err)
		}
		// The value must mean something, even with the right.
		if err := annotate(t.Context(), john, object.DeepCopyObject().(client.Object), v1alpha1.AnnotationForceDelete, "no"); err != nil {
			t.Errorf("%T with the right: %v", object, err)
		}
	}
	if err := jane(t).Delete(t.Context(), c.DeepCopy()); err == nil {
		t.Error("it may be deleted, forced by a word that means nothing")
	}
	if err := jane(t).Delete(t.Context(), secret.DeepCopy()); err == nil {
		t.Error("its source may be deleted, forced by a word that means nothing")
	}
	// A Secret that has the annotation becomes no source without the right.
	early := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: teamA, Name: "early", Annotations: map[string]string{v1alpha1.AnnotationForceDelete: "true"}}}
	if err := jane(t).Create(t.Context(), early); err != nil {
		t.Fatal(err)
	}
	early.Labels = map[string]string{v1alpha1.LabelSourceType: "generic"}
	if err := jane(t).Update(t.Context(), early); err == nil || !strings.HasSuffix(err.Error(), `needs the right "forcedelete" on projects.credence.dev/team-a`) {
		t.Errorf("labelling it: %v", err)
	}
	for _, object := range []client.Object{secret, c} {
		if err := annotate(t.Context(), john, object, v1alpha1.AnnotationForceDelete, "true"); err != nil {
			t.Fatal(err)
		}
		if err := jane(t).Delete(t.Context(), object); err != nil {
			t.Errorf("%T in use, forced: %v", object, err)
		}
		gone(t, object)
	}
}

// neverBlocked does what nothing may keep from happening.
func neverBlocked(t *testing.T) {
	t.Run("a namespace goes", func(t *testing.T) {
		namespace := project("leaving")
		c, secret := narrow("leaving", "own", "own"), source("leaving", "own")
		e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "leaving", Name: "tools"},
			Spec: v1alpha1.EnvironmentSpec{AssetHead: head(), Credentials: []v1alpha1.AssetName{"own"}}}
		held := secret.DeepCopy()
		held.Name, held.Finalizers = "held", []string{"example.com/hold"}
		made(t, namespace, secret, held, c, e, web("leaving", "web", v1alpha1.AnnotationCredentials, "own"))
		used(t, c, 2)
		poll(t, "there is a copy", func(ctx context.Context) error {
			return cluster.Client().Get(ctx, client.ObjectKey{Namespace: "leaving", Name: "genericsecret-openai"}, &corev1.Secret{})
		})
		if err := jane(t).Delete(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
		poll(t, "it lacks nothing but what is held", func(ctx context.Context) error {
			// Whoever deletes something there does what the namespace controller is about to do.
			_, err := usedBy(ctx, c)
			return errors.Join(client.IgnoreNotFound(err), client.IgnoreNotFound(jane(t).Delete(ctx, c.DeepCopy())),
				client.IgnoreNotFound(jane(t).Delete(ctx, secret.DeepCopy())))
		})
		if err := jane(t).Get(t.Context(), client.ObjectKeyFromObject(held), held); err != nil {
			t.Fatal(err)
		}
		held.Finalizers = nil
		if err := jane(t).Update(t.Context(), held); err != nil {
			t.Fatal(err)
		}
		gone(t, namespace)
	})
	t.Run("garbage goes", func(t *testing.T) {
		owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: teamB, Name: "owner"}}
		made(t, owner)
		owners := []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}}
		c, secret := narrow(teamB, "owned", "owned"), source(teamB, "owned")
		c.OwnerReferences, secret.OwnerReferences = owners, owners
		made(t, secret, c, web(teamB, "owned", v1alpha1.AnnotationCredentials, "owned"))
		used(t, c, 1)
		if err := jane(t).Delete(t.Context(), owner); err != nil {
			t.Fatal(err)
		}
		gone(t, c)
		gone(t, secret)
	})
	t.Run("a finalizer goes", func(t *testing.T) {
		c := narrow(teamB, "held", "held")
		c.Finalizers = []string{"example.com/hold"}
		made(t, source(teamB, "held"), c)
		if err := jane(t).Delete(t.Context(), c.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		made(t, web(teamB, "held", v1alpha1.AnnotationInject, "true"))
		if err := jane(t).Delete(t.Context(), c.DeepCopy()); err != nil {
			t.Errorf("deleting it again: %v", err)
		}
		poll(t, "the finalizer is taken off", func(ctx context.Context) error {
			patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata": {"finalizers": null}}`))
			return client.IgnoreNotFound(jane(t).Patch(ctx, c.DeepCopy(), patch))
		})
		gone(t, c)
	})
}

// leavesAlone has a project go with all that is in it and in use, while nobody of us is
// there.
func leavesAlone(t *testing.T) func(*testing.T) {
	namespace, c := project("deserted"), narrow("deserted", "own", "own")
	e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "deserted", Name: "tools"},
		Spec: v1alpha1.EnvironmentSpec{AssetHead: head(), Credentials: []v1alpha1.AssetName{"own"}}}
	made(t, namespace, source("deserted", "own"), c, e, web("deserted", "web", v1alpha1.AnnotationEnvironment, "tools"))
	used(t, c, 2)
	poll(t, "there is a copy", func(ctx context.Context) error {
		return cluster.Client().Get(ctx, client.ObjectKey{Namespace: "deserted", Name: "genericsecret-openai"}, &corev1.Secret{})
	})
	return func(t *testing.T) {
		if err := jane(t).Delete(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
		gone(t, namespace)
	}
}

// manyNames are the longest that there may be.
func manyNames() (names []string) {
	for i := range v1alpha1.MaxStatusUsers {
		names = append(names, fmt.Sprintf("Deployment many/%s-%02d", strings.Repeat("a", 240), i))
	}
	return names
}

func manyWords() string {
	return `it holds the values of credential "c999", which is used by 1000 workloads: ` + strings.Join(manyNames()[:5], ", ") + ", … ; detach it there first"
}

// lastIsUsed writes of the last of many credentials that it is used, and waits until its
// source is kept.
func lastIsUsed(t *testing.T) {
	t.Helper()
	last := narrow("many", "c999", "s999")
	if _, err := usedBy(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	last.Status.UsedBy = v1alpha1.UsedBy{Total: 1000, Workloads: 1000, Names: manyNames()}
	if err := cluster.Client().Status().Update(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	poll(t, "the source is kept", func(ctx context.Context) error {
		return refused(jane(t).Delete(ctx, source("many", "s999"), client.DryRunAll), bySources, manyWords())
	})
}

// manyCredentials: the source of one of 1,000 credentials of a namespace is kept, too,
// and it does not take the API server long.
func manyCredentials(t *testing.T) {
	// Nobody could admit them now.
	key := metav1.ObjectMeta{Name: "credence"}
	for _, configuration := range []client.Object{
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: key}, &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: key},
	} {
		if err := cluster.Client().Delete(t.Context(), configuration); err != nil {
			t.Fatal(err)
		}
	}
	made(t, project("many"))
	poll(t, "credentials are admitted by nobody", func(ctx context.Context) error {
		return cluster.Client().Create(ctx, narrow("many", "probe", "probe"), client.DryRunAll)
	})
	for i := range 1000 {
		made(t, narrow("many", fmt.Sprintf("c%03d", i), fmt.Sprintf("s%03d", i)))
	}
	words := manyWords()
	made(t, source("many", "s999"), source("many", "other"))
	lastIsUsed(t)
	begin := time.Now()
	const rounds = 10
	for range rounds {
		if err := refused(jane(t).Delete(t.Context(), source("many", "s999")), bySources, words); err != nil {
			t.Error(err)
		}
	}
	t.Logf("a delete among 1,000 credentials takes %v", time.Since(begin)/rounds)
	if err := jane(t).Delete(t.Context(), source("many", "other")); err != nil {
		t.Errorf("deleting a Secret that is nobody's source: %v", err)
	}
}

// withoutTheResource removes the resource Credential: nothing that was kept for it is
// kept any more, for nobody could let it go.
func withoutTheResource(t *testing.T) {
	controller.Stop()
	lastIsUsed(t)
	definition := &unstructured.Unstructured{}
	definition.SetAPIVersion("apiextensions.k8s.io/v1")
	definition.SetKind("CustomResourceDefinition")
	definition.SetName("credentials.credence.dev")
	if err := cluster.Client().Delete(t.Context(), definition.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	poll(t, "the resource is gone", func(ctx context.Context) error {
		all := &v1alpha1.CredentialList{}
		if err := cluster.Client().List(ctx, all); err == nil {
			for i := range all.Items {
				if c := &all.Items[i]; len(c.Finalizers) > 0 {
					_ = cluster.Client().Patch(ctx, c, client.RawPatch("application/merge-patch+json", []byte(`{"metadata": {"finalizers": null}}`)))
				}
			}
		}
		err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(definition), definition)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("it is still there"), err)
	})
	readAgain(t, "credence-deletes-sources", "credence-copies")
	if err := jane(t).Delete(t.Context(), source("many", "s999")); err != nil {
		t.Errorf("the source may not go: %v", err)
	}
}

// readAgain has the API server read policies as one does that starts. The last of them
// is that of copies, by which it is seen when that is done.
func readAgain(t *testing.T, names ...string) {
	t.Helper()
	forge := func(ctx context.Context) error {
		return jane(t).Create(ctx, source(teamA, "forged", v1alpha1.LabelCopyOf, "openai"), client.DryRunAll)
	}
	var policies []*admissionregistrationv1.ValidatingAdmissionPolicy
	for _, name := range names {
		policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
		if err := cluster.Client().Get(t.Context(), client.ObjectKey{Name: name}, policy); err != nil {
			t.Fatal(err)
		}
		if err := cluster.Client().Delete(t.Context(), policy); err != nil {
			t.Fatal(err)
		}
		policy.ObjectMeta = metav1.ObjectMeta{Name: name}
		policies = append(policies, policy)
	}
	poll(t, "the policies are gone", forge)
	for _, policy := range policies {
		made(t, policy)
	}
	poll(t, "the policies are there again", func(ctx context.Context) error { return refused(forge(ctx), byCopies, notYours) })
}
