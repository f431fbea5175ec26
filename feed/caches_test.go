// SPDX-License-Identifier: Apache-2.0

package feed_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/feed"
)

// TestCacheOptions holds what caches keep of an object. Our annotations on
// Credentials are read, those of others on namespaces are not.
func TestCacheOptions(t *testing.T) {
	full := metav1.ObjectMeta{
		Name: "a", Labels: map[string]string{"l": "x"}, Annotations: map[string]string{"a": "x"},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
	}
	team := feed.Namespace()
	team.ObjectMeta = full
	for name, test := range map[string]struct {
		object client.Object
		want   metav1.ObjectMeta
	}{
		"namespace":  {team, metav1.ObjectMeta{Name: "a", Labels: full.Labels}},
		"Credential": {&v1alpha1.Credential{ObjectMeta: full}, metav1.ObjectMeta{Name: "a", Labels: full.Labels, Annotations: full.Annotations}},
	} {
		t.Run(name, func(t *testing.T) {
			options := feed.CacheOptions()
			transform := options.DefaultTransform
			for kind, of := range options.ByObject {
				if kind.GetObjectKind().GroupVersionKind() == test.object.GetObjectKind().GroupVersionKind() {
					transform = of.Transform
				}
			}
			object, err := transform(test.object)
			if err != nil {
				t.Fatal(err)
			}
			got := object.(client.Object)
			want := metav1.ObjectMeta{Name: got.GetName(), Labels: got.GetLabels(), Annotations: got.GetAnnotations(), ManagedFields: got.GetManagedFields()}
			if diff := cmp.Diff(test.want, want); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		})
	}
}
