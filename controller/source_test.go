// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// noCopies waits until namespaces have no copy.
func (w *world) noCopies(namespaces ...string) {
	w.Helper()
	w.eventually("the copies are gone", func() error {
		for _, namespace := range namespaces {
			if found := w.copiesIn(namespace); len(found) > 0 {
				return fmt.Errorf("%s has %v", namespace, found)
			}
		}
		return nil
	})
}

func (w *world) namespaceNamed(name string) *corev1.Namespace {
	w.Helper()
	var namespace corev1.Namespace
	w.must(w.Get(w.Context(), client.ObjectKey{Name: name}, &namespace))
	return &namespace
}

func TestLabelRemovedWithdraws(t *testing.T) {
	w := newWorld(t)
	a, b := w.project("a", ""), w.project("b", "")
	w.run()
	c := w.generic("key")
	before := w.spread(c, 2)
	for _, label := range []string{v1alpha1.LabelSourceType, v1alpha1.LabelSourceClusterWide} {
		source := w.secret(w.layout.SystemNamespace, "key")
		value := source.Labels[label]
		w.relabel(source, label, "")
		w.noCopies(a, b)
		status := w.because(c, v1alpha1.ReasonSourceNotAuthorized)
		if status.Fingerprint != before.Fingerprint || status.Keys != nil || status.Namespaces.Ready != 0 || len(status.PendingNamespaces) != 2 {
			t.Errorf("without %s, the status is %+v", label, status)
		}
		w.relabel(source, label, value)
		if again := w.spread(c, 2); again.RotatedAt != nil {
			t.Errorf("with %s again, the same values are rotated at %s", label, again.RotatedAt)
		}
	}
}

// TestSourceMissing: GitOps replaces by delete and create, and rotation by hand
// does it too.
func TestSourceMissing(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	c := w.generic("key")
	before := w.spread(c, 1)
	copied := w.secret(a, "genericsecret-key")

	w.must(w.Delete(w.Context(), w.secret(w.layout.SystemNamespace, "key")))
	missing := w.because(c, v1alpha1.ReasonSourceMissing)
	if missing.State != v1alpha1.StateIssuesFound || missing.Namespaces != before.Namespaces ||
		missing.Fingerprint != before.Fingerprint || !cmp.Equal(missing.Keys, before.Keys) {
		t.Errorf("the status is %+v", missing)
	}
	if now := w.secret(a, "genericsecret-key"); now == nil || now.ResourceVersion != copied.ResourceVersion {
		t.Error("the copy changed")
	}

	k := kinds[v1alpha1.Generic]
	k.data = map[string]string{"api-key": "not-a-secret-2"}
	w.source(w.layout.SystemNamespace, "key", k, clusterScope)
	w.status(c, "rotated", func(s v1alpha1.CredentialStatus) bool {
		return s.State == v1alpha1.StateNoIssuesFound && s.Fingerprint != before.Fingerprint && s.Namespaces.Ready == 1
	})
	if now := w.secret(a, "genericsecret-key"); now.UID != copied.UID || string(now.Data["api-key"]) != "not-a-secret-2" || len(now.Data) != 1 {
		t.Errorf("the copy has the keys %v", now.Data)
	}
}

func TestSourceCreatedLater(t *testing.T) {
	w := newWorld(t)
	w.project("a", "")
	w.run()
	c := w.credential(w.layout.SystemNamespace, "key", v1alpha1.Generic, clusterScope)
	status := w.because(c, v1alpha1.ReasonSourceMissing)
	if status.Namespaces != (v1alpha1.NamespaceCounts{Desired: 1}) || len(status.PendingNamespaces) != 1 {
		t.Errorf("the status is %+v", status)
	}
	w.source(w.layout.SystemNamespace, "key", kinds[v1alpha1.Generic], clusterScope)
	w.spread(c, 1)
}

// TestNeverASource: Kubernetes fills a Secret of this type with a token whatever
// labels it has.
func TestNeverASource(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	w.must(w.Create(w.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.layout.SystemNamespace, Name: "admin"}}))
	w.must(w.Create(w.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.layout.SystemNamespace, Name: "token",
			Labels:      map[string]string{v1alpha1.LabelSourceType: "generic", v1alpha1.LabelSourceClusterWide: "true"},
			Annotations: map[string]string{corev1.ServiceAccountNameKey: "admin"}},
		Type: corev1.SecretTypeServiceAccountToken,
		Data: bytes(map[string]string{"token": "stolen"}),
	}))
	w.because(w.credential(w.layout.SystemNamespace, "token", v1alpha1.Generic, clusterScope), v1alpha1.ReasonSourceNotAllowed)

	// Nor is a copy, which somebody labels in a project to have it spread further.
	w.spread(w.generic("key"), 1)
	w.relabel(w.secret(a, "genericsecret-key"), v1alpha1.LabelSourceType, "generic")
	w.because(w.credential(a, "genericsecret-key", v1alpha1.Generic, projectScope), v1alpha1.ReasonSourceNotAllowed)
	if found := w.copiesIn(a); len(found) != 1 {
		t.Errorf("the project has %v", found)
	}
}

func TestOneSourceServesOneCredential(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	first := w.generic("first")
	w.spread(first, 1)
	second := &v1alpha1.Credential{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.layout.SystemNamespace, Name: "second"},
		Spec:       *first.Spec.DeepCopy(),
	}
	w.eventually("a second has passed, for age is told in seconds", func() error {
		if !time.Now().Truncate(time.Second).After(first.CreationTimestamp.Time) {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	w.must(w.Create(w.Context(), second))
	w.because(second, v1alpha1.ReasonSourceInUse)
	if found := w.copiesIn(a); len(found) != 1 {
		t.Errorf("the project has %v", found)
	}
	w.must(w.Delete(w.Context(), first))
	w.spread(second, 1)
}

// TestSourceMadeForACredential: who else refers to it, and be it for longer, does
// not keep it from the credential that it was made for.
func TestSourceMadeForACredential(t *testing.T) {
	w := newWorld(t)
	w.project("a", "")
	w.run()
	made := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.layout.SystemNamespace, Name: "made", Labels: map[string]string{v1alpha1.LabelSourceOf: "zebra"}},
		Data:       bytes(kinds[v1alpha1.Generic].data),
	}
	w.must(w.Create(w.Context(), made))
	other := w.credential(made.Namespace, "made", v1alpha1.Generic, clusterScope)
	w.because(other, v1alpha1.ReasonSourceNotAuthorized)
	c := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: made.Namespace, Name: "zebra"}, Spec: *other.Spec.DeepCopy()}
	w.must(w.Create(w.Context(), c))
	before := w.spread(c, 1)
	w.change(made, func() { made.Data["api-key"] = []byte("not-a-secret-2") }) // it is watched by this label
	w.status(c, "rotated", func(s v1alpha1.CredentialStatus) bool {
		return s.Fingerprint != before.Fingerprint && s.Namespaces.Ready == 1
	})
}

func TestNotAProject(t *testing.T) {
	w := newWorld(t)
	plain := w.namespace("plain", nil)
	w.run()
	w.source(plain, "key", kinds[v1alpha1.Generic], projectScope)
	c := w.credential(plain, "key", v1alpha1.Generic, projectScope)
	w.because(c, v1alpha1.ReasonNotAProject)
	if reads := w.sent.reads("/api/v1/namespaces/" + plain + "/secrets/key"); reads > 0 {
		t.Errorf("a Secret that is none of our business was read %d times", reads)
	}
	w.relabel(w.namespaceNamed(plain), w.layout.ProjectLabel, "plain")
	w.spread(c, 1)

	w.project("a", "")
	wide := w.credential(plain, "wide", v1alpha1.Generic, clusterScope)
	w.because(wide, v1alpha1.ReasonWrongNamespace)
}

// TestTwoCachesOfOneSource: a Secret may be in both caches of sources, which then
// see different things of it. Neither is believed: what it says is read live.
func TestTwoCachesOfOneSource(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	source := w.source(w.layout.SystemNamespace, "key", kinds[v1alpha1.Generic], clusterScope)
	w.relabel(source, v1alpha1.LabelSourceOf, "key")
	c := w.credential(w.layout.SystemNamespace, "key", v1alpha1.Generic, clusterScope)
	before := w.spread(c, 1)
	copied := w.secret(a, "genericsecret-key")

	w.relabel(source, v1alpha1.LabelSourceType, "") // to one of them it is deleted
	w.settle(c)
	w.settle(c)
	if diff := cmp.Diff(before, w.spread(c, 1)); diff != "" {
		t.Errorf("status (-before +after):\n%s", diff)
	}
	if now := w.secret(a, "genericsecret-key"); now == nil || now.UID != copied.UID {
		t.Error("the copy was withdrawn")
	}
	w.change(source, func() { source.Data["api-key"] = []byte("not-a-secret-2") }) // the other one sees
	w.status(c, "rotated", func(s v1alpha1.CredentialStatus) bool {
		return s.Fingerprint != before.Fingerprint && s.Namespaces.Ready == 1
	})
}
