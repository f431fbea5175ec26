// SPDX-License-Identifier: Apache-2.0

package lookup

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestNamesNow: only a word about the Credentials themselves is one. All copies of
// a cluster would go when its CRD does.
func TestNamesNow(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	there := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: "home", Name: "key", UID: "1"}}
	for name, test := range map[string]struct {
		answer error
		name   string
		uids   []types.UID
		fails  bool
	}{
		"there":            {nil, "key", []types.UID{"1"}, false},
		"gone":             {nil, "other", nil, false},
		"no such resource": {apierrors.NewNotFound(schema.GroupResource{}, ""), "other", nil, true},
		"no such kind":     {&runtimeNoMatch{}, "other", nil, true},
		"no answer":        {errors.New("connection refused"), "other", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			live := fake.NewClientBuilder().WithScheme(scheme).WithObjects(there).
				WithIndex(there, "metadata.name", func(o client.Object) []string { return []string{o.GetName()} }).
				WithInterceptorFuncs(interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
					if test.answer != nil {
						return test.answer
					}
					return c.List(ctx, list, options...)
				}}).Build()
			names, err := Cluster{Live: live}.NamesNow(t.Context(), client.MatchingFields{"metadata.name": test.name})
			if !sets.KeySet(names).Equal(sets.New(test.uids...)) || (err != nil) != test.fails {
				t.Errorf("names: %v, error: %v", names, err)
			}
		})
	}
}

type runtimeNoMatch struct{}

func (*runtimeNoMatch) Error() string { return "no matches for kind Credential" }
