// SPDX-License-Identifier: Apache-2.0

package feed_test

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
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

// TestLeanCacheLosesNothing: what the catalog makes of a Credential is the same
// whether the cache is lean or not, and what is only told to people is gone.
func TestLeanCacheLosesNothing(t *testing.T) {
	full := func() *v1alpha1.Credential {
		c := &v1alpha1.Credential{}
		fill(t, reflect.ValueOf(c).Elem())
		c.Spec.Type, c.Spec.Scope.Level = v1alpha1.DockerRegistry, v1alpha1.ScopeCluster
		c.Status.Conditions = []metav1.Condition{
			{Type: v1alpha1.ConditionInUse, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonUsed, Message: "x"},
			{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonSourceInvalid, Message: "x"},
		}
		return c
	}
	var lean *v1alpha1.Credential
	for kind, of := range feed.LeanCacheOptions().ByObject {
		if _, ok := kind.(*v1alpha1.Credential); ok {
			object, err := of.Transform(full())
			if err != nil {
				t.Fatal(err)
			}
			lean = object.(*v1alpha1.Credential)
		}
	}
	everything := cmp.Exporter(func(reflect.Type) bool { return true })
	if diff := cmp.Diff(catalog.NewEntry(full()), catalog.NewEntry(lean), everything); diff != "" {
		t.Errorf("the catalog sees (-full +lean):\n%s", diff)
	}
	if lean.Status.Issues != nil || lean.Status.UsedBy.Names != nil || lean.Annotations != nil || lean.ManagedFields != nil {
		t.Errorf("kept what nobody reads: %+v", lean)
	}
}

// TestLeanCacheKeepsAssets: the same of assets, whose description nobody asks the
// catalog for.
func TestLeanCacheKeepsAssets(t *testing.T) {
	kinds := map[string]client.Object{}
	for kind, of := range feed.LeanCacheOptions().ByObject {
		full := kind.DeepCopyObject().(client.Object)
		if asset.New(full) == nil {
			continue
		}
		fill(t, reflect.ValueOf(full).Elem())
		object, err := of.Transform(full.DeepCopyObject())
		if err != nil {
			t.Fatal(err)
		}
		lean := object.(client.Object)
		kinds[reflect.TypeOf(kind).Elem().Name()] = lean
		spec := reflect.ValueOf(full).Elem().FieldByName("Spec")
		spec.FieldByName("Description").SetString("")
		if diff := cmp.Diff(asset.New(full), asset.New(lean)); diff != "" {
			t.Errorf("%T: the catalog sees (-full +lean):\n%s", kind, diff)
		}
		status := reflect.ValueOf(lean).Elem().FieldByName("Status")
		if !status.IsZero() || lean.GetAnnotations() != nil || lean.GetLabels() != nil || lean.GetManagedFields() != nil {
			t.Errorf("kept what nobody reads: %+v", lean)
		}
	}
	for _, kind := range asset.Kinds {
		if kinds[string(kind)] == nil {
			t.Errorf("%s is kept whole", kind)
		}
	}
}

// fill gives every field something, one item to every list and map.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		if _, isTime := v.Interface().(metav1.Time); isTime {
			v.Set(reflect.ValueOf(metav1.Unix(1_000_000, 0)))
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(t, v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key)
		fill(t, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint8:
		v.SetUint(1)
	default:
		t.Fatalf("no value for a %s", v.Type())
	}
}
