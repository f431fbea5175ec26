// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestConfirmGone: only a word about the Credential itself is one. All copies of a
// cluster would go when its CRD does.
func TestConfirmGone(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	there := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: "home", Name: "key", UID: "1"}}
	for name, test := range map[string]struct {
		answer error
		stray  stray
		gone   bool
		fails  bool
	}{
		"there":                    {nil, stray{"key", "1"}, false, false},
		"another of the same name": {nil, stray{"key", "2"}, true, false},
		"gone":                     {nil, stray{"other", "3"}, true, false},
		"no such resource":         {apierrors.NewNotFound(schema.GroupResource{}, ""), stray{"other", "3"}, false, true},
		"no such kind":             {&runtimeNoMatch{}, stray{"other", "3"}, false, true},
		"no answer":                {errors.New("connection refused"), stray{"other", "3"}, false, true},
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
			gone, err := (&strayRemover{lookup: lookup{live: live}}).confirmGone(t.Context(), test.stray)
			if gone != test.gone || (err != nil) != test.fails {
				t.Errorf("gone: %t, error: %v", gone, err)
			}
		})
	}
}

type runtimeNoMatch struct{}

func (*runtimeNoMatch) Error() string { return "no matches for kind Credential" }
