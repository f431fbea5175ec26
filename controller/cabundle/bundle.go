// SPDX-License-Identifier: Apache-2.0

package cabundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Key is the key of the ConfigMap that has the certificates.
const Key = "ca.crt"

// maxSize is how large they may be, in bytes. No ConfigMap can hold more.
const maxSize = 1 << 20

type metadata = metav1.PartialObjectMetadata

// ConfigMap returns an empty object of the kind that stands for ConfigMaps in our
// cache: their metadata.
func ConfigMap() *metav1.PartialObjectMetadata {
	return &metadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}}
}

// isOurs says whether a ConfigMap is a copy.
func isOurs(found *metadata) bool {
	return found.Labels[v1alpha1.LabelManagedBy] == v1alpha1.ManagedByCredence && found.Labels[v1alpha1.LabelCABundle] != ""
}

// bundle is what copies have, or why they have nothing.
type bundle struct {
	text, problem string
	// fingerprint of the text, short enough for a label. It guards nothing.
	fingerprint string
}

// read checks what an administrator put into a ConfigMap. A private key that got there
// by mistake is not spread over the cluster.
func read(source *corev1.ConfigMap) bundle {
	text, has := source.Data[Key]
	switch {
	case !has:
		return bundle{problem: "it has no key " + Key}
	case len(text) > maxSize:
		return bundle{problem: Key + " is larger than 1 MiB"}
	case strings.Contains(text, "PRIVATE KEY"):
		return bundle{problem: Key + " has a private key in it; it may have nothing but certificates"}
	}
	count := 0
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		if count++; block.Type != "CERTIFICATE" {
			return bundle{problem: Key + " has something else in it than certificates"}
		}
	}
	if count == 0 {
		return bundle{problem: Key + " has no certificate in it"}
	}
	sum := sha256.Sum256([]byte(text))
	return bundle{text: text, fingerprint: hex.EncodeToString(sum[:16])}
}

// source reads the bundle once for each version of it.
type source struct {
	types.NamespacedName
	seen client.Reader // the cache
	live client.Reader

	mu      sync.Mutex
	version string // that of the metadata
	bundle  bundle
}

// current returns the bundle.
func (s *source) current(ctx context.Context) (bundle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := ConfigMap()
	if err := s.seen.Get(ctx, s.NamespacedName, seen); client.IgnoreNotFound(err) != nil {
		return bundle{}, fmt.Errorf("looking for ConfigMap %s: %w", s.NamespacedName, err)
	}
	if s.version == seen.ResourceVersion && s.bundle != (bundle{}) {
		return s.bundle, nil
	}
	var live corev1.ConfigMap
	now := bundle{problem: "there is none"}
	if err := s.live.Get(ctx, s.NamespacedName, &live); err == nil {
		now = read(&live)
	} else if !apierrors.IsNotFound(err) {
		return bundle{}, fmt.Errorf("reading ConfigMap %s: %w", s.NamespacedName, err)
	}
	s.version, s.bundle = seen.ResourceVersion, now
	return now, nil
}
