// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/e2e/install"
)

// pollEvery is how often is looked.
const pollEvery = 250 * time.Millisecond

// Await looks until nothing is wrong any more. within bounds what hangs; nothing takes
// that long.
func Await(ctx context.Context, within time.Duration, what string, wrong func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, pollEvery, within, true, func(ctx context.Context) (bool, error) {
		if err := wrong(ctx); err == nil || ctx.Err() == nil {
			last = err // what is said because the time is over says nothing
		}
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %w: %w", what, err, last)
	}
	return nil
}

// RolledOut says what a Deployment lacks: pods of its present template, all available,
// and no others, not even on their way out.
func (w *World) RolledOut(ctx context.Context, namespace, name string) error {
	deployment := &appsv1.Deployment{}
	if err := w.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, deployment); err != nil {
		return err
	}
	want, is := *deployment.Spec.Replicas, deployment.Status
	if is.ObservedGeneration < deployment.Generation || is.UpdatedReplicas != want || is.AvailableReplicas != want || is.Replicas != want {
		return fmt.Errorf("of %d pods of Deployment %s %d are new and %d available", is.Replicas, name, is.UpdatedReplicas, is.AvailableReplicas)
	}
	pods := &corev1.PodList{}
	if err := w.Client.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabels(deployment.Spec.Selector.MatchLabels)); err != nil {
		return err
	}
	if len(pods.Items) != int(want) {
		return fmt.Errorf("%d pods are of Deployment %s, not %d", len(pods.Items), name, want)
	}
	return nil
}

// Running says what Credence lacks.
func (w *World) Running(ctx context.Context) error {
	return errors.Join(w.RolledOut(ctx, install.Namespace, "credence-webhook"), w.RolledOut(ctx, install.Namespace, "credence-controller"))
}
