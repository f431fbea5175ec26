// SPDX-License-Identifier: Apache-2.0

package strays

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/credence-dev/credence/api/v1alpha1"
)

const (
	// LeaseName is the name of the controller's Lease, in the install namespace. It
	// carries AnnotationReleaseStrays, and the events about strays are told of it.
	LeaseName = "credence-controller"
	// ResourceName is the name of the CustomResourceDefinition of Credentials.
	ResourceName = "credentials.credence.dev"
	// maxRelease is how far ahead a release may reach, so that one that is forgotten
	// does not disarm the guard.
	maxRelease = time.Hour
)

// Guard knows whether copies may be removed at all. Deleting the resource
// Credential deletes every Credential, and one command would take the secrets of
// every workload in the cluster.
type Guard struct {
	// Live reads the Lease and the resource, without a cache.
	Live  client.Reader
	Clock clock.PassiveClock
	// Lease is the controller's.
	Lease types.NamespacedName
	// Release is the controller's flag: nothing is held.
	Release bool
	// Interval is how often somebody asks again while something is held.
	Interval time.Duration

	mu        sync.Mutex
	heldUntil time.Time
}

// resourceState is how the resource Credential itself fares.
type resourceState string

const (
	resourcePresent     resourceState = "present"
	resourceTerminating resourceState = "terminating"
	resourceMissing     resourceState = "missing"
)

// resource asks for the state of the resource Credential.
func (g *Guard) resource(ctx context.Context) (resourceState, error) {
	definition := &metadata{TypeMeta: metav1.TypeMeta{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition"}}
	switch err := g.Live.Get(ctx, types.NamespacedName{Name: ResourceName}, definition); {
	case apierrors.IsNotFound(err):
		return resourceMissing, nil
	case err != nil:
		return "", fmt.Errorf("reading CustomResourceDefinition %s: %w", ResourceName, err)
	case !definition.DeletionTimestamp.IsZero():
		return resourceTerminating, nil
	}
	return resourcePresent, nil
}

// Holds says whether the copies of a Credential that is being deleted stay for
// now. Its deletion must have been seen before: that of the resource begins
// earlier. Only a yes is remembered, and not for long.
func (g *Guard) Holds(ctx context.Context) (bool, error) {
	g.mu.Lock()
	remembered := g.Clock.Now().Before(g.heldUntil)
	g.mu.Unlock()
	if remembered {
		return true, nil
	}
	state, err := g.resource(ctx)
	if err != nil || state == resourcePresent {
		return false, err
	}
	if released, err := g.released(ctx); err != nil || released {
		return false, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.heldUntil = g.Clock.Now().Add(g.Interval / 2)
	return true, nil
}

// released says whether somebody let go of what is held: by the flag, or until a
// time that the Lease is annotated with.
func (g *Guard) released(ctx context.Context) (bool, error) {
	if g.Release {
		return true, nil
	}
	lease, err := g.leaseNow(ctx)
	if err != nil {
		return false, err
	}
	value, annotated := lease.Annotations[v1alpha1.AnnotationReleaseStrays]
	if !annotated {
		return false, nil
	}
	if err := releases(value, g.Clock.Now()); err != nil {
		log.FromContext(ctx).Info("Nothing is released", "annotation", v1alpha1.AnnotationReleaseStrays, "because", err.Error())
		return false, nil
	}
	return true, nil
}

var (
	errReleaseOver = errors.New("the time has passed")
	errReleaseFar  = fmt.Errorf("the time is more than %s ahead", maxRelease)
)

// releases has no complaint while the time that a Lease is annotated with is
// ahead.
func releases(value string, now time.Time) error {
	until, err := time.Parse(time.RFC3339, value)
	switch {
	case err != nil:
		return fmt.Errorf("the value is no time as RFC 3339 has it: %w", err)
	case !now.Before(until):
		return errReleaseOver
	case until.Sub(now) > maxRelease:
		return errReleaseFar
	}
	return nil
}

// leaseNow reads the Lease. Without one nothing is released, and what is told of
// it has no UID.
func (g *Guard) leaseNow(ctx context.Context) (*metadata, error) {
	lease := &metadata{TypeMeta: metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}}
	if err := g.Live.Get(ctx, g.Lease, lease); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("reading Lease %s: %w", g.Lease, err)
	}
	lease.Namespace, lease.Name = g.Lease.Namespace, g.Lease.Name
	return lease, nil
}
