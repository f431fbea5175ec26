// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"context"
	"errors"
	"testing"
	"time"

	cmauthority "github.com/cert-manager/cert-manager/pkg/server/tls/authority"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientset "k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	clocktesting "k8s.io/utils/clock/testing"
)

// caSecret is a CA Secret with current as its signing CA and older ones in the bundle.
func caSecret(current *signer, older ...*signer) *corev1.Secret {
	s := state{current: current}
	for _, ca := range older {
		s.retired = append(s.retired, retiredCA{ca.certificate, ca.certificate.NotAfter})
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: secretName.Namespace, Name: secretName.Name}}
	s.writeTo(secret)
	return secret
}

// eventually polls until done says so.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("gave up waiting: %s", what)
		case <-tick.C:
		}
	}
}

// run runs f until the test ends, which is not over before f is.
func run(t testing.TB, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f(ctx); err != nil {
			t.Errorf("stopped with %v", err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

func TestAuthorityFollowsTheSecret(t *testing.T) {
	first, second := mustSigner(t, epoch, 90*day), mustSigner(t, epoch, 90*day)
	secrets := clientset.NewClientset()
	authority := &Authority{Client: secrets, Secret: secretName, LeafDuration: time.Hour, Clock: clocktesting.NewFakePassiveClock(epoch)}
	if _, err := authority.Sign(leafTemplate()); !errors.Is(err, cmauthority.ErrCertificateNotAvailable) {
		t.Errorf("Sign before the Secret is there: %v", err)
	}
	rotated := make(chan struct{}, 1)
	authority.WatchRotation(rotated)
	run(t, authority.Run)

	signedBy := func(ca *signer) func() bool {
		return func() bool {
			leaf, err := authority.Sign(leafTemplate())
			return err == nil && accepts(encodeBundle(ca.certificate), leaf, epoch) == nil
		}
	}
	store := func(secret *corev1.Secret) {
		t.Helper()
		api := secrets.CoreV1().Secrets(secret.Namespace)
		_, err := api.Update(t.Context(), secret, metav1.UpdateOptions{})
		if err != nil {
			_, err = api.Create(t.Context(), secret, metav1.CreateOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	other := caSecret(mustSigner(t, epoch, 90*day))
	other.Name = "other"
	store(other)
	store(caSecret(first))
	eventually(t, "first CA signs", signedBy(first))
	<-rotated

	// Neither damage nor deletion disturbs what works.
	damaged := caSecret(first)
	damaged.Data[corev1.TLSPrivateKeyKey] = []byte("oops")
	store(damaged)
	if err := secrets.CoreV1().Secrets(secretName.Namespace).Delete(t.Context(), secretName.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	store(caSecret(first)) // the same CA again is no rotation
	store(caSecret(second, first))
	eventually(t, "second CA signs", signedBy(second))
	<-rotated
	if len(rotated) > 0 {
		t.Error("told of a rotation that was none")
	}
	if got := authority.NotAfter(); !got.Equal(second.certificate.NotAfter) {
		t.Errorf("NotAfter() = %s, want %s", got, second.certificate.NotAfter)
	}

	authority.StopWatchingRotation(rotated)
	store(caSecret(first, second))
	eventually(t, "first CA signs again", signedBy(first))
	if len(rotated) > 0 {
		t.Error("told of a rotation after StopWatchingRotation")
	}
}

func TestAuthorityObserve(t *testing.T) {
	ca, other := mustSigner(t, epoch, 90*day), mustSigner(t, epoch, 90*day)
	for name, test := range map[string]struct {
		secret *corev1.Secret
		ok     bool
	}{
		"usable":                 {caSecret(ca), true},
		"with an older CA":       {caSecret(ca, other), true},
		"empty":                  {&corev1.Secret{}, false},
		"CA not in the bundle":   {edited(caSecret(ca), BundleKey, encodeBundle(other.certificate)), false},
		"no bundle":              {edited(caSecret(ca), BundleKey, nil), false},
		"key of another CA":      {edited(caSecret(ca), corev1.TLSPrivateKeyKey, other.keyPEM), false},
		"certificate of another": {edited(caSecret(ca), corev1.TLSCertKey, encodeBundle(other.certificate)), false},
	} {
		t.Run(name, func(t *testing.T) {
			var authority Authority
			err := authority.observe(test.secret)
			if (err == nil) != test.ok {
				t.Fatalf("observe: %v, want ok %v", err, test.ok)
			}
			if err != nil {
				assertNoKey(t, err.Error(), ca, other)
			}
			if signs := authority.signer() != nil; signs != test.ok {
				t.Errorf("authority signs: %v, want %v", signs, test.ok)
			}
		})
	}
}

func edited(secret *corev1.Secret, key string, value []byte) *corev1.Secret {
	secret.Data[key] = value
	return secret
}

// The rights of the webhook's and the server's account name one Secret.
func TestAuthorityAsksForOneSecretOnly(t *testing.T) {
	secrets := clientset.NewClientset()
	authority := &Authority{Client: secrets, Secret: secretName}
	seen := make(chan clienttesting.Action, 100)
	secrets.PrependReactor("*", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		seen <- action
		return false, nil, nil
	})
	run(t, authority.Run)
	list, ok := (<-seen).(clienttesting.ListActionImpl)
	if !ok {
		t.Fatalf("first action is a %T, want a list", list)
	}
	if got := list.ListRestrictions.Fields.String(); list.GetNamespace() != secretName.Namespace || got != "metadata.name="+secretName.Name {
		t.Errorf("lists in namespace %q with fields %q", list.GetNamespace(), got)
	}
}

func TestAuthorityNeedsAName(t *testing.T) {
	if err := (&Authority{}).Run(t.Context()); err == nil {
		t.Error("Run without a name succeeded")
	}
}
