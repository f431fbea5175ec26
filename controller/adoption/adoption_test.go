// SPDX-License-Identifier: Apache-2.0

package adoption

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
)

// TestPendingTrustsNoCache: the cache does not have the Credential, but the API
// server does; and of a resource that is missing nobody knows what there was.
func TestPendingTrustsNoCache(t *testing.T) {
	for name, test := range map[string]struct {
		refersTo string // what the Credential refers to, empty if there is none
		missing  bool   // the resource
		removed  bool
	}{
		"a Credential":             {refersTo: "made"},
		"one of another source":    {refersTo: "other", removed: true},
		"none":                     {removed: true},
		"no resource":              {missing: true},
		"no resource, not for now": {refersTo: "made", missing: true},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
			secret := copies.Secret()
			secret.ObjectMeta = metav1.ObjectMeta{Namespace: "system", Name: "made", CreationTimestamp: metav1.NewTime(now.Add(-time.Hour)),
				Labels: map[string]string{v1alpha1.LabelSourceOf: "key"}, Annotations: map[string]string{v1alpha1.AnnotationPending: ""}}
			scheme := runtime.NewScheme()
			for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
				if err := add(scheme); err != nil {
					t.Fatal(err)
				}
			}
			build := fake.NewClientBuilder().WithScheme(scheme).WithObjects(&corev1.Secret{ObjectMeta: *secret.ObjectMeta.DeepCopy()}).
				WithIndex(&v1alpha1.Credential{}, "metadata.name", func(o client.Object) []string { return []string{o.GetName()} }).
				WithInterceptorFuncs(interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
					if test.missing {
						return apierrors.NewGenericServerResponse(404, "get", v1alpha1.GroupVersion.WithResource("credentials").GroupResource(), "", "", 0, true)
					}
					return c.List(ctx, list, options...)
				}})
			if test.refersTo != "" {
				c := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: "system", Name: "key"}}
				c.Spec.SecretRef.Name = test.refersTo
				build = build.WithObjects(c)
			}
			live := build.Build()
			layout := credential.DefaultLayout()
			layout.SystemNamespace = "system"
			r := &reconciler{
				sources: live, cache: behind{}, live: live, client: live, catalog: catalog.New(layout),
				clock: clocktesting.NewFakePassiveClock(now), recorder: recorderFake{events.NewFakeRecorder(10)},
			}
			result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(secret)})
			gone := apierrors.IsNotFound(live.Get(t.Context(), client.ObjectKeyFromObject(secret), copies.Secret()))
			if gone != test.removed {
				t.Errorf("removed: %t", gone)
			}
			if (err != nil) != test.missing || err == nil && (result.RequeueAfter > 0) == test.removed {
				t.Errorf("again in %s, error %v", result.RequeueAfter, err)
			}
		})
	}
}

// behind is a cache that shows nothing yet.
type behind struct{ client.Reader }

func (behind) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

// recorderFake records events for nobody.
type recorderFake struct{ *events.FakeRecorder }

func (recorderFake) AnnotatedEventf(runtime.Object, runtime.Object, map[string]string, string, string, string, string, ...any) {
}

// TestAnswered: a webhook chooses the words of its refusal and the reason too, so
// neither is repeated.
func TestAnswered(t *testing.T) {
	const quoted = "not-a-secret"
	err := answered("adopting", &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: 403, Reason: quoted, Message: quoted}})
	if want := "adopting: the API server answers: code 403"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
