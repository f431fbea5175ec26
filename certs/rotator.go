// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Labels of a CA Secret that we create.
const (
	partOfLabel    = "app.kubernetes.io/part-of"
	managedByLabel = "app.kubernetes.io/managed-by"
	product        = "credence"
)

// retryInterval is the wait after another writer was faster.
const retryInterval = time.Second

// Publications tells what the clients of a CA have been given to trust.
type Publications interface {
	// Published returns one PEM bundle per client, read live. None at all means that there is nobody to wait for.
	Published(ctx context.Context) ([][]byte, error)
}

// Rotator creates, rotates and repairs one CA Secret. It is a reconciler for the leading controller; [Setup] adds it to a
// manager. What it decides is in [decide]; here is only reading and writing.
//
// Should two Rotators run at once (a leader that lost its lease a moment ago), the resourceVersion lets one of them write and
// has the other look again: osm#4183 and cert-controller#44 are what happens otherwise.
type Rotator struct {
	// Client writes the Secret. Setup defaults it to the manager's.
	Client client.Client
	// Reader reads the Secret live, because an informer on Secrets is more than this needs. Setup defaults it to the
	// manager's API reader.
	Reader client.Reader
	// Secret is the CA Secret. Required.
	Secret types.NamespacedName
	// Settings pace the rotation.
	Settings Settings
	// Publications confirm that the next CA has arrived; nil means that there is nobody to wait for. Setup defaults it to
	// the Publisher.
	Publications Publications
	// Events records each step on the Secret; nil means log only. Setup defaults it to the manager's.
	Events events.EventRecorder
	// Clock defaults to the real one.
	Clock clock.PassiveClock

	// told is when somebody was last told that a publication is late. There is one worker.
	told time.Time
}

var _ reconcile.Reconciler = (*Rotator)(nil)

// Reconcile takes the rotation as far as it can go now and asks to be called again when the next step is due. The request is
// not looked at: there is one Secret.
func (r *Rotator) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	secret, err := r.read(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	in, err := r.gather(ctx, secret)
	if err != nil {
		return reconcile.Result{}, err
	}
	next, steps, err := decide(in)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("deciding on CA Secret %s: %w", r.Secret, err)
	}
	written, err := r.write(ctx, secret, next)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		log.FromContext(ctx).V(1).Info("Somebody else has written the CA Secret, looking again", "secret", r.Secret)
		return reconcile.Result{RequeueAfter: retryInterval}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("writing CA Secret %s: %w", r.Secret, err)
	}
	if written != nil {
		secret = written
		r.record(ctx, secret, steps)
	}
	if note, late := next.lateness(in.now, in.published); late && in.now.Sub(r.told) >= latePublication {
		r.told = in.now
		r.record(ctx, secret, []step{note})
	}
	return reconcile.Result{RequeueAfter: next.wait(in.now, in.settings)}, nil
}

// read returns nil if there is no Secret.
func (r *Rotator) read(ctx context.Context) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := r.Reader.Get(ctx, r.Secret, secret)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading CA Secret %s: %w", r.Secret, err)
	}
	return secret, nil
}

// gather reads all that the decision depends on.
func (r *Rotator) gather(ctx context.Context, secret *corev1.Secret) (input, error) {
	in := input{now: clockOrReal(r.Clock).Now(), settings: r.Settings.WithDefaults(), exists: secret != nil}
	in.state, in.problems = readState(secret)
	in.mint = func() (*signer, error) { return newSigner(in.settings.CommonName, in.now, in.settings.CADuration) }
	if r.Publications == nil {
		return in, nil
	}
	var err error
	if in.published, err = r.Publications.Published(ctx); err != nil {
		return input{}, fmt.Errorf("reading where the bundle of CA Secret %s is published: %w", r.Secret, err)
	}
	return in, nil
}

// write stores s and returns the Secret as stored, or nil if there was nothing to change.
func (r *Rotator) write(ctx context.Context, old *corev1.Secret, s state) (*corev1.Secret, error) {
	if old == nil {
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: r.Secret.Namespace,
				Name:      r.Secret.Name,
				Labels:    map[string]string{partOfLabel: product, managedByLabel: product},
			},
			Type: corev1.SecretTypeTLS,
		}
		s.writeTo(secret)
		return secret, r.Client.Create(ctx, secret)
	}
	secret := old.DeepCopy()
	s.writeTo(secret)
	if equality.Semantic.DeepEqual(old, secret) {
		return nil, nil
	}
	// The resourceVersion that was read goes with the update.
	return secret, r.Client.Update(ctx, secret)
}

func (r *Rotator) record(ctx context.Context, secret *corev1.Secret, steps []step) {
	for _, step := range steps {
		log.FromContext(ctx).Info(step.note, "secret", r.Secret, "reason", step.reason)
		if r.Events != nil {
			r.Events.Eventf(secret, nil, step.eventType, step.reason, "RotateCA", "%s", step.note)
		}
	}
}

func clockOrReal(c clock.PassiveClock) clock.PassiveClock {
	if c == nil {
		return clock.RealClock{}
	}
	return c
}
