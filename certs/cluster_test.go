// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const serverName = "credence-webhook.credence.svc"

var (
	epoch      = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	secretName = types.NamespacedName{Namespace: "credence", Name: "credence-webhook-ca"}
	// configurations are the names of those that are ours in most tests.
	configurations = []string{"m", "m1", "m2", "v", "v1", "v2", "provided", "injected"}
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// cluster is an API server with the controller's half of the package running against it.
type cluster struct {
	t         testing.TB
	clock     *clocktesting.FakeClock
	client    client.Client
	events    *events.FakeRecorder
	settings  Settings
	publisher *Publisher
}

func newCluster(t testing.TB, settings Settings, objects ...client.Object) *cluster {
	t.Helper()
	c := fake.NewClientBuilder().WithObjects(objects...).WithReturnManagedFields().Build()
	return &cluster{
		t:         t,
		clock:     clocktesting.NewFakeClock(epoch),
		client:    c,
		events:    events.NewFakeRecorder(1000),
		settings:  settings,
		publisher: &Publisher{Client: c, Reader: c, Secret: secretName, Names: configurations},
	}
}

// rotate has a controller that has just been started look once.
func (c *cluster) rotate() reconcile.Result {
	c.t.Helper()
	rotator := &Rotator{Client: c.client, Reader: c.client, Secret: secretName, Settings: c.settings,
		Publications: c.publisher, Events: c.events, Clock: c.clock}
	result, err := rotator.Reconcile(c.t.Context(), reconcile.Request{})
	if err != nil {
		c.t.Fatalf("rotating: %v", err)
	}
	return result
}

func (c *cluster) publish() {
	c.t.Helper()
	if _, err := c.publisher.Reconcile(c.t.Context(), reconcile.Request{}); err != nil {
		c.t.Fatalf("publishing: %v", err)
	}
}

// published is what API servers trust: it must be the same in every entry.
func (c *cluster) published() []byte {
	c.t.Helper()
	all, err := c.publisher.Published(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, bundle := range all {
		if string(bundle) != string(all[0]) {
			c.t.Fatal("entries differ in their caBundle")
		}
	}
	return all[0]
}

// secret returns the CA Secret, or nil.
func (c *cluster) secret() *corev1.Secret {
	c.t.Helper()
	secret := &corev1.Secret{}
	err := c.client.Get(context.Background(), secretName, secret)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return secret
}

// state returns what the CA Secret says, which must be free of problems.
func (c *cluster) state() state {
	c.t.Helper()
	s, problems := readState(c.secret())
	if len(problems) > 0 {
		c.t.Fatalf("CA Secret has problems: %v", problems)
	}
	return s
}

// change edits the CA Secret as an operator would.
func (c *cluster) change(edit func(*corev1.Secret)) {
	c.t.Helper()
	secret := c.secret()
	edit(secret)
	if err := c.client.Update(c.t.Context(), secret); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) reasons() []string {
	var reasons []string
	for len(c.events.Events) > 0 {
		reasons = append(reasons, <-c.events.Events)
	}
	return reasons
}

func mutating(name string, entries ...string) *admissionregistrationv1.MutatingWebhookConfiguration {
	c := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, entry := range entries {
		c.Webhooks = append(c.Webhooks, admissionregistrationv1.MutatingWebhook{Name: entry})
	}
	return c
}

func validating(name string, entries ...string) *admissionregistrationv1.ValidatingWebhookConfiguration {
	c := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, entry := range entries {
		c.Webhooks = append(c.Webhooks, admissionregistrationv1.ValidatingWebhook{Name: entry})
	}
	return c
}

func mustSigner(t testing.TB, now time.Time, lifetime time.Duration) *signer {
	t.Helper()
	s, err := newSigner("test", now, lifetime)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// leafKey is one key for all leaves of the tests; only their certificates matter.
var leafKey = func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}()

func leafTemplate() *x509.Certificate {
	return &x509.Certificate{
		PublicKey:   leafKey.Public(),
		DNSNames:    []string{serverName},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

// accepts is what an API server does that trusts bundle.
func accepts(bundle []byte, leaf *x509.Certificate, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	_, err := leaf.Verify(x509.VerifyOptions{DNSName: serverName, Roots: roots, CurrentTime: now})
	return err
}
