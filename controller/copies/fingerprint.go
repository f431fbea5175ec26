// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

const (
	// KeySecret is the Secret in the install namespace that holds the key of the
	// fingerprints.
	KeySecret = "credence-fingerprint-key"
	// keyField is its data key, keySize the length of the value in bytes.
	keyField = "key"
	keySize  = 32
)

// Keyring makes fingerprints. The key is read once, and made if it does not
// exist; it is safe for concurrent use.
type Keyring struct {
	// Client writes the key's Secret, Reader reads it without a cache.
	Client client.Writer
	Reader client.Reader
	// Namespace is the install namespace.
	Namespace string

	mu  sync.Mutex
	key []byte
}

// Fingerprint returns "<key id>:<HMAC>" of the values of a credential, in hex.
// It says of a credential's values that they changed, and nothing else: the key
// keeps them from being guessed, and the credential's name is part of it, so that
// equal values of two credentials do not show. Fingerprints of different key ids
// are never equal and say nothing about change.
func (k *Keyring) Fingerprint(ctx context.Context, credential types.NamespacedName, values map[string][]byte) (string, error) {
	key, err := k.load(ctx)
	if err != nil {
		return "", fmt.Errorf("reading Secret %s/%s: %w", k.Namespace, KeySecret, err)
	}
	mac := hmac.New(sha256.New, key)
	writePart(mac, []byte(credential.Namespace))
	writePart(mac, []byte(credential.Name))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		writePart(mac, []byte(name))
		writePart(mac, values[name])
	}
	id := sha256.Sum256(key)
	return hex.EncodeToString(id[:4]) + ":" + hex.EncodeToString(mac.Sum(nil)), nil
}

// Changed says whether two fingerprints tell that the values changed: only those
// of one key do.
func Changed(before, after string) bool {
	old, _, _ := strings.Cut(before, ":")
	now, _, _ := strings.Cut(after, ":")
	return old == now && before != after
}

// writePart puts the length first, so that no two maps have the same text.
func writePart(to hash.Hash, part []byte) {
	to.Write(binary.AppendUvarint(nil, uint64(len(part))))
	to.Write(part)
}

func (k *Keyring) load(ctx context.Context) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key != nil {
		return k.key, nil
	}
	key, err := k.read(ctx)
	if apierrors.IsNotFound(err) {
		if err := k.create(ctx); err != nil {
			return nil, err
		}
		key, err = k.read(ctx) // that of another process, if it was faster
	}
	if err != nil {
		return nil, err
	}
	k.key = key
	return key, nil
}

func (k *Keyring) read(ctx context.Context) ([]byte, error) {
	var secret corev1.Secret
	if err := k.Reader.Get(ctx, types.NamespacedName{Namespace: k.Namespace, Name: KeySecret}, &secret); err != nil {
		return nil, err
	}
	if key := secret.Data[keyField]; len(key) == keySize {
		return key, nil
	}
	// Not mended: whatever it is, it is not ours to overwrite.
	return nil, fmt.Errorf("%s does not have %d bytes; delete the Secret to have it made anew", keyField, keySize)
}

func (k *Keyring) create(ctx context.Context) error {
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	err := k.Client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: k.Namespace,
			Name:      KeySecret,
			Labels:    map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByCredence},
		},
		Immutable: new(true),
		Data:      map[string][]byte{keyField: key},
	}, client.FieldOwner(v1alpha1.FieldManager))
	if client.IgnoreAlreadyExists(err) != nil {
		return fmt.Errorf("creating it: %s", Answer(err)) // admission may quote the key
	}
	return nil
}
