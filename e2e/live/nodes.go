// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	kubectldrain "k8s.io/kubectl/pkg/drain"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// drainWithin bounds a drain.
const drainWithin = 3 * time.Minute

// Kill ends the processes of pods by SIGKILL, on their nodes, as a lack of memory does.
// The kubelets are not told.
func (w *World) Kill(ctx context.Context, pods ...corev1.Pod) error {
	nodes, err := w.Cluster.Nodes()
	if err != nil {
		return err
	}
	for _, node := range nodes {
		for _, pod := range pods {
			for _, status := range pod.Status.ContainerStatuses {
				_, id, _ := strings.Cut(status.ContainerID, "://")
				if pod.Spec.NodeName != node.String() || status.State.Running == nil {
					continue
				}
				kill := node.CommandContext(ctx, "ctr", "--namespace=k8s.io", "tasks", "kill", "--signal=SIGKILL", id)
				if err := kill.Run(); err != nil {
					return fmt.Errorf("killing %s of pod %s: %w", status.Name, pod.Name, err)
				}
			}
		}
	}
	return nil
}

// KillAndDelete is Kill, and has others take their place instead of starting them again.
func (w *World) KillAndDelete(ctx context.Context, pods ...corev1.Pod) error {
	if err := w.Kill(ctx, pods...); err != nil {
		return err
	}
	for _, pod := range pods {
		if err := client.IgnoreNotFound(w.Client.Delete(ctx, &pod, client.GracePeriodSeconds(0))); err != nil {
			return err
		}
	}
	return nil
}

// Drain has the pods of a node evicted, as far as their budgets allow and until all are
// gone, as kubectl drain does. What is returned gives the node back.
func (w *World) Drain(ctx context.Context, node string) (uncordon func() error, err error) {
	helper := &kubectldrain.Helper{
		Ctx: ctx, Client: w.Clientset, GracePeriodSeconds: -1, IgnoreAllDaemonSets: true, DeleteEmptyDirData: true, Force: true,
		Timeout: drainWithin, Out: io.Discard, ErrOut: io.Discard,
	}
	cordon := func(ctx context.Context, desired bool) error {
		found := &corev1.Node{}
		if err := w.Client.Get(ctx, client.ObjectKey{Name: node}, found); err != nil {
			return err
		}
		helper.Ctx = ctx
		return kubectldrain.RunCordonOrUncordon(helper, found, desired)
	}
	uncordon = func() error { return cordon(context.WithoutCancel(ctx), false) }
	if err := cordon(ctx, true); err != nil {
		return uncordon, fmt.Errorf("cordoning %s: %w", node, err)
	}
	if err := kubectldrain.RunNodeDrain(helper, node); err != nil {
		return uncordon, fmt.Errorf("draining %s: %w", node, err)
	}
	return uncordon, nil
}
