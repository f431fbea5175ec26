// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
)

func marked(change ...func(*metav1.PartialObjectMetadata)) *metav1.PartialObjectMetadata {
	secret := Secret()
	secret.Labels = map[string]string{v1alpha1.LabelCopyOf: "key", v1alpha1.LabelManagedBy: "credence"}
	secret.Annotations = map[string]string{v1alpha1.AnnotationCopyOfUID: "1", v1alpha1.AnnotationFingerprint: "i:f"}
	for _, f := range change {
		f(secret)
	}
	return secret
}

func wroteBy(manager, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: metav1.NewFieldsV1(fields)}
}

func TestRead(t *testing.T) {
	without := func(label, annotation string) func(*metav1.PartialObjectMetadata) {
		return func(s *metav1.PartialObjectMetadata) { delete(s.Labels, label); delete(s.Annotations, annotation) }
	}
	managed := func(entries ...metav1.ManagedFieldsEntry) func(*metav1.PartialObjectMetadata) {
		return func(s *metav1.PartialObjectMetadata) { s.ManagedFields = entries }
	}
	for name, test := range map[string]struct {
		secret       *metav1.PartialObjectMetadata
		ours, edited bool
	}{
		"ours":                  {marked(), true, false},
		"without copy-of":       {marked(without(v1alpha1.LabelCopyOf, "")), false, false},
		"without managed-by":    {marked(without(v1alpha1.LabelManagedBy, "")), false, false},
		"without copy-of-uid":   {marked(without("", v1alpha1.AnnotationCopyOfUID)), false, false},
		"without fingerprint":   {marked(without("", v1alpha1.AnnotationFingerprint)), false, false},
		"managed by another":    {marked(func(s *metav1.PartialObjectMetadata) { s.Labels[v1alpha1.LabelManagedBy] = "helm" }), false, false},
		"written by us":         {marked(managed(wroteBy("credence", `{"f:data":{"f:a":{}}}`))), true, false},
		"written by another":    {marked(managed(wroteBy("credence", `{"f:data":{"f:a":{}}}`), wroteBy("kubectl-edit", `{"f:data":{"f:b":{}}}`))), true, true},
		"labelled by another":   {marked(managed(wroteBy("kubectl-label", `{"f:metadata":{"f:labels":{"f:team":{}}}}`))), true, false},
		"applied as text":       {marked(managed(wroteBy("kubectl", `{"f:stringData":{"f:b":{}}}`))), true, true},
		"annotated with a trap": {marked(managed(wroteBy("kubectl", `{"f:metadata":{"f:annotations":{"f:data":{}}}}`))), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, slim := range []bool{false, true} { // from the API server, from the cache
				if slim {
					if _, err := Slim(test.secret); err != nil {
						t.Fatal(err)
					}
				}
				got, ours := Read(test.secret)
				if ours != test.ours || got.Edited != test.edited {
					t.Errorf("slim: %t, ours: %t, edited: %t", slim, ours, got.Edited)
				}
			}
		})
	}
}

func TestReadRotatedAt(t *testing.T) {
	for value, want := range map[string]time.Time{
		"":                     {},
		"2027-03-01T12:00:00Z": time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC),
		"yesterday":            {},
	} {
		secret := marked(func(s *metav1.PartialObjectMetadata) { s.Annotations[v1alpha1.AnnotationRotatedAt] = value })
		if _, err := Slim(secret); err != nil {
			t.Fatal(err)
		}
		if got, ours := Read(secret); !ours || !got.RotatedAt.Equal(want) {
			t.Errorf("%q: %s, ours: %t", value, got.RotatedAt, ours)
		}
	}
}

// TestSlim: kubectl apply leaves the values in an annotation.
func TestSlim(t *testing.T) {
	secret := marked(func(s *metav1.PartialObjectMetadata) {
		s.Annotations[corev1.LastAppliedConfigAnnotation] = `{"data":{"password":"bm90LWEtc2VjcmV0"}}`
		s.ManagedFields = []metav1.ManagedFieldsEntry{wroteBy("kubectl", `{"f:data":{"f:password":{}},"f:type":{}}`)}
	})
	if _, err := Slim(secret); err != nil {
		t.Fatal(err)
	}
	want := marked(func(s *metav1.PartialObjectMetadata) {
		s.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl", FieldsV1: metav1.NewFieldsV1(`{"f:data":{}}`)}}
	})
	if diff := cmp.Diff(want, secret); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := Slim(&corev1.Secret{}); err == nil {
		t.Error("a Secret with its values may be cached")
	}
}
