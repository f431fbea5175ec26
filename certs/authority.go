// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	cmtls "github.com/cert-manager/cert-manager/pkg/server/tls"
	cmauthority "github.com/cert-manager/cert-manager/pkg/server/tls/authority"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Authority signs serving certificates with the CA that a CA Secret says is in force. It needs list and watch on that one
// Secret by name, and writes nothing: cert-manager's DynamicAuthority, which it stands in for, lets every replica write
// (gatekeeper#1045) and replaces a CA without overlap.
//
// A Secret that disappears or becomes unusable does not disturb it: it goes on with the last CA that it has seen.
type Authority struct {
	// Client watches the Secret. Required.
	Client kubernetes.Interface
	// Secret is the CA Secret. Required.
	Secret types.NamespacedName
	// LeafDuration is how long a leaf is valid, unless the CA ends earlier; default 7 days. It must be the same as the
	// Rotator's.
	LeafDuration time.Duration
	// Clock defaults to the real one.
	Clock clock.PassiveClock

	mu       sync.Mutex
	current  *signer
	watchers []chan<- struct{}
}

var _ cmtls.Authority = (*Authority)(nil)

// Run watches the Secret until ctx is done.
func (a *Authority) Run(ctx context.Context) error {
	if a.Secret.Namespace == "" || a.Secret.Name == "" {
		return errors.New("running the certificate authority: namespace and name of the CA Secret must be set")
	}
	informer := secretInformer(a.Client, a.Secret)
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { a.handle(ctx, object) },
		UpdateFunc: func(_, object any) { a.handle(ctx, object) },
		DeleteFunc: func(any) {
			log.FromContext(ctx).Info("The CA Secret was deleted; keeping its CA until there is another", "secret", a.Secret)
		},
	}); err != nil {
		return fmt.Errorf("watching CA Secret %s: %w", a.Secret, err)
	}
	informer.RunWithContext(ctx)
	return nil
}

func (a *Authority) handle(ctx context.Context, object any) {
	// The field selector lets only one Secret through; a fake client lets all.
	secret, ok := object.(*corev1.Secret)
	if !ok || secret.Namespace != a.Secret.Namespace || secret.Name != a.Secret.Name {
		return
	}
	if err := a.observe(secret); err != nil {
		log.FromContext(ctx).Error(err, "The CA Secret is unusable; keeping the last usable CA", "secret", a.Secret)
	}
}

// observe takes over the signing CA of secret and tells the watchers if it is another one than before.
func (a *Authority) observe(secret *corev1.Secret) error {
	current, err := parseSigner(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return err
	}
	// A CA that is not in the bundle has been published nowhere, so nobody would accept its leaves.
	if bundle, _ := parseBundle(secret.Data[BundleKey]); !contains(bundle, current.certificate) {
		return fmt.Errorf("CA %s is not in the bundle %s", current, BundleKey)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current != nil && a.current.certificate.Equal(current.certificate) {
		return nil
	}
	a.current = current
	for _, watcher := range a.watchers {
		select {
		case watcher <- struct{}{}:
		default: // full: that watcher has been told already
		}
	}
	return nil
}

// WatchRotation has ch told of every change of the signing CA. A full channel is skipped.
func (a *Authority) WatchRotation(ch chan<- struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.watchers = append(a.watchers, ch)
}

// StopWatchingRotation undoes WatchRotation.
func (a *Authority) StopWatchingRotation(ch chan<- struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.watchers = slices.DeleteFunc(a.watchers, func(watcher chan<- struct{}) bool { return watcher == ch })
}

// Sign returns a certificate for a copy of template, valid from now (a little earlier, for clients whose clock is behind) for
// LeafDuration, but never longer than the CA. It fails with cert-manager's ErrCertificateNotAvailable as long as no CA has been
// seen, and when the CA has expired.
func (a *Authority) Sign(template *x509.Certificate) (*x509.Certificate, error) {
	current := a.signer()
	if current == nil {
		return nil, cmauthority.ErrCertificateNotAvailable
	}
	return current.sign(template, clockOrReal(a.Clock).Now(), cmp.Or(a.LeafDuration, DefaultLeafDuration))
}

// NotAfter is when the signing CA expires; zero if none has been seen yet.
func (a *Authority) NotAfter() time.Time {
	if current := a.signer(); current != nil {
		return current.certificate.NotAfter
	}
	return time.Time{}
}

func (a *Authority) signer() *signer {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.current
}

// secretInformer watches one Secret, and asks for no right on any other.
func secretInformer(secrets kubernetes.Interface, name types.NamespacedName) cache.SharedIndexInformer {
	return coreinformers.NewFilteredSecretInformer(secrets, name.Namespace, 0, cache.Indexers{}, named(name.Name))
}

// named selects one object in a way that RBAC can hold an informer to.
func named(name string) func(*metav1.ListOptions) {
	only := fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	return func(options *metav1.ListOptions) { options.FieldSelector = only }
}
