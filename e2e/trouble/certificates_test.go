// SPDX-License-Identifier: Apache-2.0

package trouble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/credence-dev/credence/e2e/install"
	"github.com/credence-dev/credence/e2e/live"
)

const (
	caName    = "credence-webhook-ca"
	bundleKey = "ca.crt"
	// soon is how long what was wiped may stay so, and far more than it takes.
	soon = 20 * time.Second
)

// TestRotation: the CA is rotated, also while the leader that does it is killed.
func TestRotation(t *testing.T) {
	pods := &stream{}
	story(t, features.New("the CA is rotated").
		Setup(step(hurry)).
		Setup(step(pods.start)).
		Assess("another CA signs, which was published before", step(func(t *testing.T) {
			before := ca(t)
			next := rotate(t)
			if !bytes.Equal(next.Data[corev1.TLSCertKey], before.Data[corev1.TLSCertKey]) {
				t.Fatal("the next CA signs at once")
			}
			signs(t, next)
			pods.flows(t)
		})).
		Assess("when the leader is killed meanwhile the next goes on with the same CA", step(func(t *testing.T) {
			leads := leader(t)
			next := rotate(t)
			killLeader(t)
			signs(t, next)
			if now := leader(t); now == leads {
				t.Errorf("%s still leads", now)
			}
			pods.flows(t)
		})).
		Assess("processes that start now are trusted", step(func(t *testing.T) {
			old := ours(t, "webhook")
			restart := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil,
				`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":%q}}}}}`, time.Now().Format(time.RFC3339)))
			deployment := deploymentOf("credence-webhook")
			must(t, world.Client.Patch(t.Context(), deployment, restart))
			newPods(t, "webhook", old)
			pods.flows(t)
		})).
		Assess("no creation notices", step(pods.unharmed)).
		Assess("what ran goes on", step(appWorks)))
}

// TestWiped: somebody replaces the webhook configurations by what the chart renders,
// which says nothing of whom to trust, as GitOps does. Nobody is trusted until that is
// mended, and no longer.
func TestWiped(t *testing.T) {
	pods := &stream{}
	var before, after time.Time
	story(t, features.New("the webhook configurations are replaced by those without a CA").
		Setup(step(pods.start)).
		Assess("every entry is mended", step(func(t *testing.T) {
			before = time.Now()
			for _, configuration := range configurations() {
				eventually(t, "the configuration to be replaced", func(ctx context.Context) error { return wipe(ctx, configuration) })
			}
			must(t, untilTrusted(t.Context()))
			pods.flows(t)
			after = time.Now()
			pods.flows(t)
		})).
		Assess("nothing was stored without its credentials", step(pods.injected)).
		Assess("no creation failed for longer", step(func(t *testing.T) {
			for _, refused := range pods.refused {
				if refused.began.Before(before) && refused.ended.Before(before) || refused.ended.After(after) {
					t.Errorf("at %s a creation failed, which was not between %s and %s: %v", refused.ended, before, after, refused.err)
				}
			}
			if after.Sub(before) > soon {
				t.Errorf("creations failed for %s", after.Sub(before))
			}
			t.Logf("creations went well after %s", after.Sub(before))
		})).
		Assess("what ran goes on", step(appWorks)))
}

// rotate asks for another CA, and returns the Secret when it has one that does not sign
// yet.
func rotate(t *testing.T) *corev1.Secret {
	t.Helper()
	before := ca(t)
	ask := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"annotations":{"credence.dev/rotate-ca":%q}}}`, time.Now().Format(time.RFC3339)))
	must(t, world.Client.Patch(t.Context(), ca(t), ask))
	next := before
	eventually(t, "the next CA to be made", func(context.Context) error {
		if next = ca(t); bytes.Equal(next.Data[bundleKey], before.Data[bundleKey]) {
			return errors.New("it is not")
		}
		return nil
	})
	return next
}

// signs waits until another CA signs than does in a Secret, and it is the one that was
// published there.
func signs(t *testing.T, next *corev1.Secret) {
	t.Helper()
	eventually(t, "the next CA to sign", func(context.Context) error {
		if now := ca(t).Data[corev1.TLSCertKey]; bytes.Equal(now, next.Data[corev1.TLSCertKey]) {
			return errors.New("it does not")
		} else if !bytes.Contains(next.Data[bundleKey], bytes.TrimSpace(now)) {
			t.Fatal("another CA signs than was published")
		}
		return nil
	})
}

// ca is the Secret of the CA.
func ca(t *testing.T) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{}
	must(t, world.Client.Get(t.Context(), client.ObjectKey{Namespace: install.Namespace, Name: caName}, secret))
	return secret
}

func configurations() []client.Object {
	mutating, validating := &admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{}
	mutating.Name, validating.Name = "credence", "credence"
	return []client.Object{mutating, validating}
}

// entries are those of a configuration.
func entries(configuration client.Object) (found []*admissionregistrationv1.WebhookClientConfig) {
	switch c := configuration.(type) {
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		for i := range c.Webhooks {
			found = append(found, &c.Webhooks[i].ClientConfig)
		}
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		for i := range c.Webhooks {
			found = append(found, &c.Webhooks[i].ClientConfig)
		}
	}
	return found
}

// wipe replaces a configuration by itself without any bundle.
func wipe(ctx context.Context, configuration client.Object) error {
	if err := world.Client.Get(ctx, client.ObjectKeyFromObject(configuration), configuration); err != nil {
		return err
	}
	for _, entry := range entries(configuration) {
		entry.CABundle = nil
	}
	return world.Client.Update(ctx, configuration)
}

// untilTrusted waits until every entry says whom to trust.
func untilTrusted(ctx context.Context) error {
	return live.Await(ctx, within, "every entry to say whom to trust", func(ctx context.Context) error {
		for _, configuration := range configurations() {
			if err := world.Client.Get(ctx, client.ObjectKeyFromObject(configuration), configuration); err != nil {
				return err
			}
			for _, entry := range entries(configuration) {
				if len(entry.CABundle) == 0 {
					return fmt.Errorf("an entry of %T does not", configuration)
				}
			}
		}
		return nil
	})
}
