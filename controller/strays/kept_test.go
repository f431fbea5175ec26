// SPDX-License-Identifier: Apache-2.0

package strays

import (
	"context"
	"maps"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestKept: what is noted is there for the next process, whatever the Lease was
// like before, and while the leader election renews it.
func TestKept(t *testing.T) {
	key := types.NamespacedName{Namespace: "install", Name: LeaseName}
	one := func(uid types.UID) *v1alpha1.Credential {
		return &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Name: "key", UID: uid}}
	}
	for name, test := range map[string]struct {
		lease     *coordinationv1.Lease
		unread    bool
		conflicts int
		want      map[types.UID]string
	}{
		"no Lease":        {want: map[types.UID]string{"1": "key"}},
		"renewed":         {lease: &coordinationv1.Lease{}, conflicts: 2, want: map[types.UID]string{"1": "key"}},
		"another is kept": {lease: annotated(`{"2":"other"}`), want: map[types.UID]string{"1": "key", "2": "other"}},
		"cannot be read":  {lease: annotated(`[`), unread: true, want: map[types.UID]string{"1": "key"}},
	} {
		t.Run(name, func(t *testing.T) {
			builder := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
				Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
					if test.conflicts--; test.conflicts >= 0 {
						return apierrors.NewConflict(schema.GroupResource{Resource: "leases"}, LeaseName, nil)
					}
					return c.Update(ctx, object, options...)
				},
			})
			if test.lease != nil {
				test.lease.Namespace, test.lease.Name = key.Namespace, key.Name
				builder = builder.WithObjects(test.lease)
			}
			c := builder.Build()
			process := func() *Kept { return &Kept{Client: c, Live: c, Lease: key} }
			k := process()
			if names, err := k.Names(t.Context()); (err != nil) != test.unread {
				t.Errorf("at first: %v, %v", names, err)
			}
			for range 2 {
				if err := k.Add(t.Context(), one("1")); err != nil {
					t.Fatal(err)
				}
			}
			for _, reader := range []*Kept{k, process()} {
				if names, err := reader.Names(t.Context()); err != nil || !maps.Equal(names, test.want) || !reader.mayHave() {
					t.Errorf("noted is %v, %v", names, err)
				}
			}
			if err := k.drop(t.Context(), []types.UID{"1", "2"}); err != nil {
				t.Fatal(err)
			}
			if names, err := k.Names(t.Context()); err != nil || len(names) > 0 || k.mayHave() {
				t.Errorf("still noted is %v, %v", names, err)
			}
			if err := k.Add(t.Context(), one("1")); err != nil || !k.mayHave() {
				t.Errorf("error %v", err)
			}
			if names, err := process().Names(t.Context()); err != nil || len(names) != 1 {
				t.Errorf("noted again is %v, %v", names, err)
			}
		})
	}
}

func annotated(value string) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.AnnotationKeptCopies: value}}}
}
