// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/clock"
)

// TestNothingIsRememberedForEver: copies go in many ways of which the writer is not
// told, and so do credentials.
func TestNothingIsRememberedForEver(t *testing.T) {
	w := NewWriter(Options{Clock: clock.RealClock{}, Holders: nobody{}, Concurrency: 1, RetryBase: time.Second, RetryMax: time.Second})
	found := func(credential types.UID, namespace string) Copy {
		secret := marked(func(s *metav1.PartialObjectMetadata) {
			s.Namespace, s.Name, s.UID, s.ResourceVersion = namespace, "genericsecret-key", types.UID(namespace), "7"
			s.ManagedFields = []metav1.ManagedFieldsEntry{wroteBy("flux", `{"f:data":{}}`)}
		})
		w.settled.note(credential, secret)
		c, _ := Read(secret)
		w.backoff.note(credential, c.NamespacedName, Outcome{})
		w.late.note(credential, c)
		return c
	}
	wanted := Wanted{UID: "1", Name: "genericsecret-key"}.Fill(map[string][]byte{"k": nil}, "i:f")
	a, b := found("1", "a"), found("1", "b")
	found("2", "a")
	if !w.settled.has(wanted, a) || !w.settled.has(wanted, b) {
		t.Fatal("what is in order is not remembered")
	}
	changed := a
	changed.ResourceVersion = "8"
	if w.settled.has(wanted, changed) {
		t.Error("a copy that changed counts as it was")
	}
	report := w.Spread(t.Context(), wanted, Plan(Situation{Wanted: wanted, Desired: []string{"a"}, Existing: []Copy{a}})) // b is gone
	if !w.settled.has(wanted, a) || w.settled.has(wanted, b) || len(w.settled.versions["1"]) != 1 {
		t.Errorf("remembered is %v", w.settled.versions["1"])
	}
	w.ForgetOthers(sets.New[types.UID]("1"))
	if len(w.settled.versions) != 1 || len(w.backoff.attempts) != 0 || len(w.late.copies) != 0 {
		t.Errorf("remembered is %v, %v, %v", w.settled.versions, w.backoff.attempts, w.late.copies)
	}
	if len(report.Removed) != 2 || len(w.Late("1")) != 0 {
		t.Error("what went late is not told once")
	}
	w.ForgetOthers(nil)
	if len(w.settled.versions) != 0 {
		t.Errorf("remembered is %v", w.settled.versions)
	}
}
