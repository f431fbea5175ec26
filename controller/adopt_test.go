// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// orphan makes what a copy of a Credential that is gone looks like.
func (w *world) orphan(namespace string, uid types.UID, secretType corev1.SecretType) *corev1.Secret {
	w.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "genericsecret-key",
			Labels:      map[string]string{v1alpha1.LabelCopyOf: "key", v1alpha1.LabelManagedBy: v1alpha1.ManagedByCredence},
			Annotations: map[string]string{v1alpha1.AnnotationCopyOfUID: string(uid), v1alpha1.AnnotationFingerprint: "0:0"},
		},
		Type: secretType,
		Data: bytes(map[string]string{"api-key": "old", "gone": "old"}),
	}
	w.must(w.Create(w.Context(), secret))
	return secret
}

// TestReinstallTakesCopiesBack: a Credential that comes back from a repository has
// another UID. Its copies stay where they are, and get its values.
func TestReinstallTakesCopiesBack(t *testing.T) {
	w := newWorld(t)
	projects := w.projects(12)
	outside := w.namespace("outside", nil)
	w.run()
	c := w.generic("key")
	w.spread(c, 12)
	w.stop()

	before := w.copies("key")
	w.vanish(c)
	orphan := w.orphan(outside, c.UID, corev1.SecretTypeOpaque)
	source := w.secret(w.layout.SystemNamespace, "key")
	w.change(source, func() { source.Data = bytes(map[string]string{"api-key": "not-a-secret-2"}) })
	again := w.credential(c.Namespace, c.Name, v1alpha1.Generic, clusterScope)
	w.run()
	status := w.spread(again, 12)
	for _, project := range projects {
		w.checkCopy(w.secret(project, "genericsecret-key"), again, source, kinds[v1alpha1.Generic], status.Fingerprint)
	}
	w.gone(orphan) // a stray: it is not where the new one is to be
	if diff := cmp.Diff(before, w.copies("key")); diff != "" {
		t.Errorf("copies were made again (-before +after):\n%s", diff)
	}
	w.settle(again)
	for _, project := range projects {
		if writes := w.sent.writes("/" + project + "/secrets"); len(writes) != 1 || !strings.HasPrefix(writes[0], http.MethodPatch) {
			t.Errorf("taking a copy back took %v", writes)
		}
	}
}

// TestOrphansWithoutASource: a Credential comes back before its source does.
func TestOrphansWithoutASource(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	orphan := w.orphan(a, "0", corev1.SecretTypeOpaque)
	w.run()
	c := w.credential(w.layout.SystemNamespace, "key", v1alpha1.Generic, clusterScope)
	status := w.because(c, v1alpha1.ReasonSourceMissing)
	if status.PendingNamespaces != nil || status.TakenNamespaces != nil {
		t.Errorf("the status is %+v", status)
	}
	if diff := cmp.Diff(orphan, w.secret(a, "genericsecret-key")); diff != "" {
		t.Errorf("it was touched (-before +after):\n%s", diff)
	}
	w.source(w.layout.SystemNamespace, "key", kinds[v1alpha1.Generic], clusterScope)
	w.spread(c, 1)
	if got := w.secret(a, "genericsecret-key"); got.UID != orphan.UID || got.Annotations[v1alpha1.AnnotationCopyOfUID] != string(c.UID) {
		t.Error("it was not taken over")
	}
	source := w.secret(w.layout.SystemNamespace, "key")
	w.relabel(source, v1alpha1.LabelSourceClusterWide, "")
	w.noCopies(a)
}

// TestOrphanOfAnotherType: a Secret's type cannot be changed.
func TestOrphanOfAnotherType(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.orphan(a, "0", "example.com/odd")
	w.run()
	c := w.generic("key")
	status := w.spread(c, 1)
	w.checkCopy(w.secret(a, "genericsecret-key"), c, w.secret(w.layout.SystemNamespace, "key"), kinds[v1alpha1.Generic], status.Fingerprint)
}

// TestLivingRivalHandsOver: the copy of a wider Credential becomes that of a narrower
// one that is used there instead, without ever being gone: pods may have it.
func TestLivingRivalHandsOver(t *testing.T) {
	w := newWorld(t)
	home := w.namespace("home", map[string]string{v1alpha1.LabelDepartmentHome: "research"})
	a := w.project("a", "research")
	w.run()
	wide := w.generic("key")
	w.spread(wide, 1)
	before := w.secret(a, "genericsecret-key")
	w.pod(a, "reads", before.Name, nil)
	policy, binding := w.refuseSecrets(a)
	w.source(home, "key", kinds[v1alpha1.Generic], researchScope)
	narrow := w.credential(home, "key", v1alpha1.Generic, researchScope)
	status := w.because(narrow, v1alpha1.ReasonNamespaceIssues)
	if len(status.PendingNamespaces)+len(status.TakenNamespaces) > 0 || status.Issues[0].Reason != v1alpha1.IssueAdmissionRefused {
		t.Errorf("the status is %+v", status)
	}
	w.must(w.Delete(w.Context(), binding))
	w.must(w.Delete(w.Context(), policy))
	w.spread(narrow, 1)
	if got := w.secret(a, before.Name); got.UID != before.UID || got.Annotations[v1alpha1.AnnotationCopyOfUID] != string(narrow.UID) {
		t.Error("it was not taken over as it is")
	}
	w.must(w.Delete(w.Context(), wide))
	w.gone(wide)
	if got := w.secret(a, before.Name); got == nil || got.UID != before.UID {
		t.Error("it went with the one that it was taken from")
	}
}
