// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestRotatorCreatesTheSecretAndThenRests(t *testing.T) {
	c := newCluster(t, Settings{})
	if result := c.rotate(); result.RequeueAfter != maxWait {
		t.Errorf("looks again after %s, want %s", result.RequeueAfter, maxWait)
	}
	secret := c.secret()
	if secret.Type != corev1.SecretTypeTLS || secret.Labels[partOfLabel] != product {
		t.Errorf("Secret is of type %s with labels %v", secret.Type, secret.Labels)
	}
	if left := c.state().current.certificate.NotAfter.Sub(epoch); left != DefaultCADuration {
		t.Errorf("CA is valid for %s, want %s", left, DefaultCADuration)
	}
	c.rotate()
	if again := c.secret(); again.ResourceVersion != secret.ResourceVersion {
		t.Error("a look that changes nothing wrote the Secret")
	}
	if events := c.reasons(); len(events) != 1 || !strings.HasPrefix(events[0], "Normal CACreated ") {
		t.Errorf("events %q, want one CACreated", events)
	}
}

func TestRotatorOnRequest(t *testing.T) {
	c := newCluster(t, Settings{}, mutating("m", "a"))
	c.rotate()
	c.publish()
	before := c.state().current
	c.change(func(s *corev1.Secret) { s.Annotations = map[string]string{RotateAnnotation: "now"} })

	c.rotate() // makes the next CA
	if _, ok := c.secret().Annotations[RotateAnnotation]; ok {
		t.Error("the request is still there")
	}
	c.publish()
	c.rotate() // notices that it is published
	c.clock.Step(DefaultPropagationDelay)
	c.rotate() // switches
	after := c.state()
	if after.current.String() == before.String() || len(after.retired) != 1 {
		t.Errorf("CA %s signs with %d retired, want another than %s with 1", after.current, len(after.retired), before)
	}
}

// A rotation that cannot go on says so, once an hour, with how far the CA has come.
func TestRotatorTellsOfLatePublication(t *testing.T) {
	c := newCluster(t, Settings{}, mutating("m", "a"), validating("v", "a", "b"))
	c.rotate()
	c.publish()
	c.change(func(s *corev1.Secret) { s.Annotations = map[string]string{RotateAnnotation: "now"} })
	refused := interceptor.NewClient(c.client.(client.WithWatch), interceptor.Funcs{
		Patch: func(ctx context.Context, w client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			if o.GetName() == "v" {
				return errors.New("forbidden")
			}
			return w.Patch(ctx, o, p, opts...)
		},
	})
	c.publisher.Client = refused
	rotator := &Rotator{Client: c.client, Reader: c.client, Secret: secretName, Publications: c.publisher, Events: c.events, Clock: c.clock}
	var late []string
	for range 200 { // minutes
		if _, err := rotator.Reconcile(t.Context(), reconcile.Request{}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.publisher.Reconcile(t.Context(), reconcile.Request{}); err == nil {
			t.Fatal("the publisher does not say what fails")
		}
		for _, event := range c.reasons() {
			if strings.HasPrefix(event, "Warning CAPublicationLate ") {
				late = append(late, event)
			}
		}
		c.clock.Step(time.Minute)
	}
	if len(late) != 3 || !strings.Contains(late[0], "1 of 3 entries of webhook configurations have it") {
		t.Errorf("events %q, want one after each hour", late)
	}
	c.publisher.Client = c.client
	c.publish()
	for range 3 {
		c.rotate()
		c.clock.Step(DefaultPropagationDelay)
	}
	if events := c.reasons(); len(c.state().retired) != 1 || strings.Contains(strings.Join(events, " "), "CAPublicationLate") {
		t.Errorf("events once it was published: %q", events)
	}
}

func TestRotatorRecoversFromDeletion(t *testing.T) {
	c := newCluster(t, Settings{}, mutating("m", "a"))
	c.rotate()
	c.publish()
	before := c.state().current
	if err := c.client.Delete(t.Context(), c.secret()); err != nil {
		t.Fatal(err)
	}
	c.publish() // the last bundle stays until there is another
	if contained, _ := parseBundle(c.published()); !contains(contained, before.certificate) {
		t.Error("the bundle was withdrawn before there was another")
	}
	c.rotate()
	c.publish()
	if diff := cmp.Diff(string(encodeBundle(c.state().current.certificate)), string(c.published())); diff != "" {
		t.Errorf("published bundle is not the new CA alone (-want +got):\n%s", diff)
	}
}

func TestRotatorRepairs(t *testing.T) {
	c := newCluster(t, Settings{})
	c.rotate()
	before := c.state().current
	c.change(func(s *corev1.Secret) { s.Data[corev1.TLSPrivateKeyKey] = []byte("oops") })
	c.reasons()
	c.rotate()
	after := c.state()
	if !after.current.validAt(c.clock.Now()) || after.current.String() == before.String() {
		t.Errorf("CA %s signs, want a new one", after.current)
	}
	if len(after.retired) != 1 || !after.retired[0].certificate.Equal(before.certificate) {
		t.Error("the old CA's certificate, which was readable, has left the bundle")
	}
	events := c.reasons()
	if len(events) != 2 || !strings.HasPrefix(events[0], "Warning CASecretRepaired ") || !strings.HasPrefix(events[1], "Warning CAReplaced ") {
		t.Errorf("events %q, want CASecretRepaired and CAReplaced", events)
	}
	for _, event := range events {
		assertNoKey(t, event, before, after.current)
	}
}

// Two leaders at once is what a lost lease looks like for a moment.
func TestRotatorsDoNotRace(t *testing.T) {
	for name, test := range map[string]struct{ prepare func(*cluster) }{
		"both create": {prepare: func(*cluster) {}},
		"both start a rotation": {prepare: func(c *cluster) {
			c.rotate()
			c.clock.Step(DefaultCADuration * 3 / 4)
		}},
		"both repair": {prepare: func(c *cluster) {
			c.rotate()
			c.change(func(s *corev1.Secret) { delete(s.Data, corev1.TLSCertKey) })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, Settings{})
			test.prepare(c)
			slow := &Rotator{Client: c.client, Secret: secretName, Publications: c.publisher, Clock: c.clock}
			// The other one does all its work between the slow one's read and write.
			slow.Reader = interceptor.NewClient(c.client.(client.WithWatch), interceptor.Funcs{
				Get: func(ctx context.Context, w client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
					err := w.Get(ctx, key, o, opts...)
					c.rotate()
					return err
				},
			})
			result, err := slow.Reconcile(t.Context(), reconcile.Request{})
			if err != nil || result.RequeueAfter != retryInterval {
				t.Errorf("slow rotator: %v, %v; want to look again after %s", result, err, retryInterval)
			}
			want := c.secret()
			c.rotate()
			if diff := cmp.Diff(want, c.secret()); diff != "" {
				t.Errorf("Secret changed after the race (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRotatorReportsErrors(t *testing.T) {
	boom := errors.New("boom")
	for name, test := range map[string]struct {
		funcs interceptor.Funcs
		want  string
	}{
		"reading": {
			funcs: interceptor.Funcs{Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				return boom
			}},
			want: "reading CA Secret credence/credence-webhook-ca: boom",
		},
		"reading what is published": {
			funcs: interceptor.Funcs{Get: func(ctx context.Context, w client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
				if _, ok := o.(*admissionregistrationv1.ValidatingWebhookConfiguration); ok {
					return boom
				}
				return w.Get(ctx, key, o, opts...)
			}},
			want: "reading where the bundle of CA Secret credence/credence-webhook-ca is published: reading ValidatingWebhookConfiguration credence: boom",
		},
		"writing": {
			funcs: interceptor.Funcs{Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return boom }},
			want:  "writing CA Secret credence/credence-webhook-ca: boom",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := fake.NewClientBuilder().WithInterceptorFuncs(test.funcs).Build()
			rotator := &Rotator{Client: c, Reader: c, Secret: secretName, Publications: &Publisher{Reader: c}}
			_, err := rotator.Reconcile(t.Context(), reconcile.Request{})
			if err == nil || err.Error() != test.want || !errors.Is(err, boom) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

// A Secret in a namespace that is going away cannot be made; that is an error to be retried, not a reason to spin.
func TestRotatorInTerminatingNamespace(t *testing.T) {
	forbidden := apierrors.NewForbidden(corev1.Resource("secrets"), secretName.Name, errors.New("the namespace is being terminated"))
	c := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return forbidden },
	}).Build()
	result, err := (&Rotator{Client: c, Reader: c, Secret: secretName}).Reconcile(t.Context(), reconcile.Request{})
	if !apierrors.IsForbidden(err) || result.RequeueAfter != time.Duration(0) {
		t.Errorf("got %v, %v", result, err)
	}
}
