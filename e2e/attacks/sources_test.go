// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestTokensAreNotSpread (56): who may create Secrets, and share credentials, has
// Kubernetes fill one with the token of an account. It goes nowhere.
func TestTokensAreNotSpread(t *testing.T) {
	dana := as(t, dana)
	for name, kind := range map[string]corev1.SecretType{
		"token": corev1.SecretTypeServiceAccountToken, "bootstrap": corev1.SecretTypeBootstrapToken, "release": "helm.sh/release.v1",
	} {
		secret := source(home, name, "research")
		secret.Type = kind
		if kind == corev1.SecretTypeServiceAccountToken {
			secret.Annotations = map[string]string{corev1.ServiceAccountNameKey: "default"}
		}
		credential := wide(name, name, "research", home)
		if err := errors.Join(dana.Create(t.Context(), secret), dana.Create(t.Context(), credential)); err != nil {
			t.Fatal(err)
		}
		if kind == corev1.SecretTypeServiceAccountToken {
			poll(t, "Kubernetes has filled in the token", func(ctx context.Context) error {
				err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(secret), secret)
				if err == nil && len(secret.Data[corev1.ServiceAccountTokenKey]) == 0 {
					err = errors.New("there is none")
				}
				return err
			})
			// Now it is seen again, with the token in it.
			poll(t, "the Secret is changed", func(ctx context.Context) error {
				return client.IgnoreNotFound(retry(ctx, secret, func() { secret.Labels["again"] = "yes" }))
			})
		}
		status := because(t, credential, v1alpha1.ReasonSourceNotAllowed)
		if len(status.Keys) > 0 || status.Fingerprint != "" || status.Namespaces.Ready > 0 {
			t.Errorf("%s: the status tells of it: %+v", name, status)
		}
		none(t, teamA, "genericsecret-"+name)
		err := as(t, tenant).Create(t.Context(), pod("wants-"+name, v1alpha1.AnnotationCredentials, name))
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: a pod that names it: %v", name, err)
		}
	}
}

// retry changes an object as the administrator.
func retry(ctx context.Context, object client.Object, change func()) error {
	if err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return err
	}
	change()
	return cluster.Client().Update(ctx, object)
}

// TestClaimsWithoutRights: in a namespace that departments share somebody refers to a
// source that is not for them, before those do whom it is for. That keeps nothing from
// these.
func TestClaimsWithoutRights(t *testing.T) {
	dana := as(t, dana)
	// Of two that are as old the first by name counts.
	early := []*v1alpha1.Credential{wide("a-claim", "sales-key", "research", system), wide("a-claim-too", "sales-key", "project", system)}
	for _, claim := range early {
		if err := dana.Create(t.Context(), claim); err != nil {
			t.Fatal(err)
		}
	}
	sales := wide("sales", "sales-key", "sales", system)
	made(t, source(system, "sales-key", "sales"), sales)
	because(t, sales, v1alpha1.ReasonPropagated)
	copyOf(t, teamB, "sales")
	because(t, early[0], v1alpha1.ReasonSourceNotAuthorized)
	none(t, teamA, "genericsecret-a-claim")
	none(t, teamA, "genericsecret-sales")
}
