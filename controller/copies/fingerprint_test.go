// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"context"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func keyring(c client.Client) *Keyring {
	return &Keyring{Client: c, Reader: c, Namespace: "credence"}
}

func fingerprint(t *testing.T, k *Keyring, name string, values ...string) string {
	t.Helper()
	data := map[string][]byte{}
	for i := 0; i < len(values); i += 2 {
		data[values[i]] = []byte(values[i+1])
	}
	f, err := k.Fingerprint(t.Context(), types.NamespacedName{Namespace: "n", Name: name}, data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFingerprint(t *testing.T) {
	c := fake.NewClientBuilder().Build()
	k := keyring(c)
	base := fingerprint(t, k, "key", "a", "1", "b", "2")
	if !regexp.MustCompile(`^[0-9a-f]{8}:[0-9a-f]{64}$`).MatchString(base) {
		t.Errorf("%q", base)
	}
	if again := fingerprint(t, keyring(c), "key", "b", "2", "a", "1"); again != base {
		t.Error("another process, or another order, has another fingerprint")
	}
	for name, other := range map[string]string{
		"another value":                fingerprint(t, k, "key", "a", "1", "b", "3"),
		"another key":                  fingerprint(t, k, "key", "a", "1", "c", "2"),
		"a key less":                   fingerprint(t, k, "key", "a", "1"),
		"the same text cut elsewhere":  fingerprint(t, k, "key", "a", "1b", "", "2"),
		"the same of another":          fingerprint(t, k, "yek", "a", "1", "b", "2"),
		"the values the other way":     fingerprint(t, k, "key", "a", "2", "b", "1"),
		"of another key of the digest": fingerprint(t, keyring(fake.NewClientBuilder().Build()), "key", "a", "1", "b", "2"),
	} {
		if other == base {
			t.Errorf("%s has the same fingerprint", name)
		}
	}
	var secret corev1.Secret
	if err := c.Get(t.Context(), types.NamespacedName{Namespace: "credence", Name: KeySecret}, &secret); err != nil {
		t.Fatal(err)
	}
	if len(secret.Data[keyField]) != keySize || secret.Immutable == nil || !*secret.Immutable {
		t.Error("the key's Secret is not as it should be")
	}
}

func TestChanged(t *testing.T) {
	for pair, want := range map[[2]string]bool{
		{"k:1", "k:1"}: false,
		{"k:1", "k:2"}: true,
		{"k:1", "l:2"}: false, // a lost key
		{"", "k:1"}:    false,
		{"0:0", "k:1"}: false,
	} {
		if got := Changed(pair[0], pair[1]); got != want {
			t.Errorf("%q: %t", pair, got)
		}
	}
}

func TestBrokenFingerprintKey(t *testing.T) {
	c := fake.NewClientBuilder().WithObjects(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "credence", Name: KeySecret}, Data: map[string][]byte{keyField: []byte("short-key")},
	}).Build()
	_, err := keyring(c).Fingerprint(t.Context(), types.NamespacedName{}, nil)
	if err == nil || strings.Contains(err.Error(), "short-key") {
		t.Errorf("error %v", err)
	}
}

// TestFingerprintKeyIsRefused: whoever refuses the key's Secret may quote it.
func TestFingerprintKeyIsRefused(t *testing.T) {
	c := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Create: func(_ context.Context, _ client.WithWatch, object client.Object, _ ...client.CreateOption) error {
			return apierrors.NewBadRequest(string(object.(*corev1.Secret).Data[keyField]) + " quoted")
		},
	}).Build()
	_, err := keyring(c).Fingerprint(t.Context(), types.NamespacedName{}, nil)
	if err == nil || strings.Contains(err.Error(), "quoted") || !strings.Contains(err.Error(), "BadRequest") {
		t.Errorf("error %v", err)
	}
}
