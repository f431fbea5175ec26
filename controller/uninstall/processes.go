// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// overdue is how long a pod may be gone that nobody confirms: its node is, too.
const overdue = 30 * time.Second

// stopProcesses has all processes end, and returns those that have not.
func (r *run) stopProcesses(ctx context.Context) (left []string) {
	left = r.scaleDown(ctx)
	left = append(left, r.pods(ctx)...)
	// Also one that runs outside the cluster, as the chart allows.
	holder, err := r.leader(ctx)
	switch {
	case err != nil:
		left = append(left, err.Error())
	case holder != "":
		left = append(left, fmt.Sprintf("controller %s holds Lease %s/%s; stop it if it runs outside the cluster", holder, r.InstallNamespace, r.Lease))
	}
	return left
}

func (r *run) scaleDown(ctx context.Context) (left []string) {
	var deployments appsv1.DeploymentList
	if err := r.Client.List(ctx, &deployments, client.InNamespace(r.InstallNamespace), ours); err != nil {
		return []string{fmt.Sprintf("listing Deployments: %v", err)}
	}
	for i := range deployments.Items {
		deployment := &deployments.Items[i]
		if !isOurs(deployment) {
			continue
		}
		key := client.ObjectKeyFromObject(deployment).String()
		if ptr.Deref(deployment.Spec.Replicas, 1) == 0 {
			if deployment.Status.ObservedGeneration < deployment.Generation || deployment.Status.Replicas > 0 {
				left = append(left, "Deployment "+key+" still has pods")
			}
			continue
		}
		zero := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":0}}`))
		err := r.Client.SubResource("scale").Patch(ctx, deployment, zero, client.WithSubResourceBody(&autoscalingv1.Scale{}))
		if client.IgnoreNotFound(err) != nil {
			left = append(left, fmt.Sprintf("scaling Deployment %s to 0: %v", key, err))
			continue
		}
		r.do("Scaled Deployment %s to 0.", key)
	}
	return left
}

// pods returns those of the processes that have not ended.
func (r *run) pods(ctx context.Context) (left []string) {
	var pods corev1.PodList
	if err := r.Client.List(ctx, &pods, client.InNamespace(r.InstallNamespace), ours); err != nil {
		return []string{fmt.Sprintf("listing pods: %v", err)}
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		if ended || pod.Labels[component] == myself {
			continue
		}
		// That there is no leader is seen by the Lease, and whoever comes back finds that
		// he is to end.
		if pod.DeletionTimestamp != nil && r.Clock.Since(pod.DeletionTimestamp.Time) > overdue {
			if !r.lost[pod.Name] {
				r.say("Pod %s/%s should have ended long ago, and node %s does not say so; it is not waited for.", pod.Namespace, pod.Name, pod.Spec.NodeName)
			}
			r.lost[pod.Name] = true
			continue
		}
		left = append(left, fmt.Sprintf("pod %s/%s still runs", pod.Namespace, pod.Name))
	}
	return left
}

// lease is what was last seen of the Lease, and since when. That is how a controller
// finds out itself whether another is gone that could not say so: clocks may differ.
type lease struct {
	holder string
	at     metav1.MicroTime
	since  time.Time
}

// leader is the controller that leads, if any does.
func (r *run) leader(ctx context.Context) (string, error) {
	var found coordinationv1.Lease
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: r.InstallNamespace, Name: r.Lease}, &found)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading Lease %s/%s: %w", r.InstallNamespace, r.Lease, err)
	}
	seen := lease{ptr.Deref(found.Spec.HolderIdentity, ""), ptr.Deref(found.Spec.RenewTime, metav1.MicroTime{}), r.Clock.Now()}
	if seen.holder != r.lease.holder || !seen.at.Equal(&r.lease.at) {
		r.lease = seen
	}
	lasts := time.Duration(ptr.Deref(found.Spec.LeaseDurationSeconds, 15)) * time.Second
	if r.Clock.Since(r.lease.since) > lasts {
		return "", nil
	}
	return seen.holder, nil
}
