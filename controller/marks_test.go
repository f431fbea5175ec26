// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller"
)

// TestRotationMarks: a copy says when its values took the place of others, and
// only then.
func TestRotationMarks(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	clock := clocktesting.NewFakePassiveClock(time.Date(2027, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600)))
	w.configure = func(o *controller.Options) { o.Clock = clock }
	w.run()
	c := w.generic("key")
	w.spread(c, 1)
	copied := func() *corev1.Secret { return w.secret(a, "genericsecret-key") }
	since := func(what, at string) {
		t.Helper()
		w.eventually("the mark is right: "+what, func() error {
			now := copied()
			if now == nil || now.Annotations[v1alpha1.AnnotationRotatedAt] != at {
				return fmt.Errorf("the copy is %+v", now)
			}
			return nil
		})
	}
	restored := func() {
		t.Helper()
		w.eventually("the values are the source's", func() error {
			if value := string(copied().Data["api-key"]); value != "not-a-secret-2" {
				return fmt.Errorf("they are not")
			}
			return nil
		})
	}
	later := func() { clock.SetTime(clock.Now().Add(time.Hour)) }
	since("made", "")

	later()
	source := w.secret(w.layout.SystemNamespace, "key")
	w.change(source, func() { source.Data["api-key"] = []byte("not-a-secret-2") })
	restored()
	since("rotated", "2027-03-01T12:00:00Z")

	later()
	w.stop()
	w.must(w.Delete(w.Context(), w.secret(w.layout.InstallNamespace, "credence-fingerprint-key")))
	old := copied().Annotations[v1alpha1.AnnotationFingerprint]
	w.run()
	w.eventually("the fingerprint is new", func() error {
		if copied().Annotations[v1alpha1.AnnotationFingerprint] == old {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	since("another key", "2027-03-01T12:00:00Z")

	later()
	apply := &corev1.Secret{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: a, Name: "genericsecret-key"}, Data: source.Data}
	w.must(w.Patch(w.Context(), apply, client.Apply, client.FieldOwner("flux"), client.ForceOwnership)) //nolint:staticcheck // as a client of any age does
	w.settle(c)
	w.settle(c)
	since("the same values from elsewhere", "2027-03-01T12:00:00Z")

	later()
	edited := copied()
	edited.Data["api-key"] = []byte("other")
	w.must(w.Update(w.Context(), edited, client.FieldOwner("kubectl-edit")))
	restored()
	since("edited", "2027-03-01T15:00:00Z")

	later()
	w.vanish(c) // and its copy is held, for there is no Credential left
	again := w.credential(c.Namespace, c.Name, v1alpha1.Generic, clusterScope)
	w.spread(again, 1)
	since("taken over", "2027-03-01T15:00:00Z")
	if copied().UID != edited.UID {
		t.Error("the copy was made again")
	}
}

// TestKeptCopyHasNoMarks: force-delete=keep leaves an ordinary Secret, also of a
// copy that was rotated.
func TestKeptCopyHasNoMarks(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	c := w.generic("key")
	before := w.spread(c, 1)
	source := w.secret(w.layout.SystemNamespace, "key")
	w.change(source, func() { source.Data["api-key"] = []byte("not-a-secret-2") })
	w.status(c, "rotated", func(s v1alpha1.CredentialStatus) bool {
		return s.Fingerprint != before.Fingerprint && s.Namespaces.Ready == 1
	})
	w.change(c, func() { c.Annotations = map[string]string{v1alpha1.AnnotationForceDelete: "keep"} })
	w.must(w.Delete(w.Context(), c))
	w.gone(c)
	if left := w.secret(a, "genericsecret-key"); left == nil || len(left.Labels)+len(left.Annotations) > 0 {
		t.Errorf("what is left is %+v", left)
	}
}

// TestSettledCopiesRotate: a copy that another writer is on record of is not
// written for nothing, and written when there is something.
func TestSettledCopiesRotate(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	c := w.generic("key")
	w.spread(c, 1)
	apply := &corev1.Secret{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: a, Name: "genericsecret-key"}, Data: bytes(kinds[v1alpha1.Generic].data)}
	w.must(w.Patch(w.Context(), apply, client.Apply, client.FieldOwner("flux"), client.ForceOwnership)) //nolint:staticcheck // as a client of any age does
	w.settle(c)
	w.settle(c)
	source := w.secret(w.layout.SystemNamespace, "key")
	w.change(source, func() { source.Data["api-key"] = []byte("not-a-secret-2") })
	w.eventually("the copy has the new value", func() error {
		if string(w.secret(a, "genericsecret-key").Data["api-key"]) != "not-a-secret-2" {
			return fmt.Errorf("it does not")
		}
		return nil
	})
}

// TestRotationTakesOneRequestPerCopy counts reads as well as writes.
func TestRotationTakesOneRequestPerCopy(t *testing.T) {
	w := newWorld(t)
	projects := w.projects(20)
	w.run()
	c := w.generic("key")
	before := w.spread(c, 20)
	w.settle(c)
	w.sent.reset()
	source := w.secret(w.layout.SystemNamespace, "key")
	w.change(source, func() { source.Data["api-key"] = []byte("not-a-secret-2") })
	w.status(c, "rotated", func(s v1alpha1.CredentialStatus) bool {
		return s.Fingerprint != before.Fingerprint && s.Namespaces.Ready == 20
	})
	w.settle(c)
	for _, project := range projects {
		if all := w.sent.all("/namespaces/" + project + "/"); len(all) != 1 || !strings.HasPrefix(all[0], http.MethodPatch) {
			t.Errorf("in %s: %v", project, all)
		}
	}
}
