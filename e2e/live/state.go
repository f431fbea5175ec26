// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/e2e/install"
)

// logLines is how much of each process's log is told.
const logLines = 30

// tellState is an error that says how Credence's pods are, for those who read the
// output of a test that failed elsewhere. Credence writes no values into its logs.
func (w *World) tellState(ctx context.Context) error {
	pods := &corev1.PodList{}
	if err := w.Client.List(ctx, pods, client.InNamespace(install.Namespace)); err != nil {
		return err
	}
	var text strings.Builder
	for _, pod := range pods.Items {
		fmt.Fprintf(&text, "%s on %s: %s\n", pod.Name, pod.Spec.NodeName, pod.Status.Phase)
		for _, status := range pod.Status.ContainerStatuses {
			if waiting := status.State.Waiting; waiting != nil {
				fmt.Fprintf(&text, "  %s waits: %s %s\n", status.Name, waiting.Reason, waiting.Message)
			}
		}
		fmt.Fprintln(&text, w.Log(ctx, pod.Namespace, pod.Name))
	}
	return errors.New(text.String())
}

// Log is the end of a pod's log, or why there is none.
func (w *World) Log(ctx context.Context, namespace, pod string) string {
	lines := int64(logLines)
	stream, err := w.Clientset.CoreV1().Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{TailLines: &lines}).Stream(ctx)
	if err != nil {
		return err.Error()
	}
	defer stream.Close()
	text, err := io.ReadAll(stream)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
