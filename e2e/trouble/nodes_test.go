// SPDX-License-Identifier: Apache-2.0

package trouble

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/e2e-framework/pkg/features"
)

const controlPlaneLabel = "node-role.kubernetes.io/control-plane"

// TestDrain: a node is drained for maintenance, and comes back.
func TestDrain(t *testing.T) {
	pods := &stream{}
	uncordon := func() error { return nil }
	story(t, features.New("a node is drained").
		Setup(step(pods.start)).
		Assess("its pods go elsewhere", step(func(t *testing.T) {
			node := worker(t)
			var err error
			uncordon, err = world.Drain(t.Context(), node)
			must(t, err)
			eventually(t, "Credence to run elsewhere", world.Running)
			for _, pod := range ours(t, "") {
				if pod.Spec.NodeName == node {
					t.Errorf("pod %s runs on the drained node", pod.Name)
				}
			}
			pods.flows(t)
		})).
		Assess("no creation notices", step(pods.unharmed)).
		Assess("what ran runs elsewhere", step(appWorks)).
		Teardown(step(func(t *testing.T) { must(t, uncordon()) })))
}

// TestAPIServerRestarted: the API server is killed, and started by its kubelet.
func TestAPIServerRestarted(t *testing.T) {
	pods := &stream{}
	story(t, features.New("the API server is killed").
		Setup(step(pods.start)).
		Assess("it comes back", step(func(t *testing.T) {
			server := apiServer(t)
			must(t, world.Kill(t.Context(), server))
			eventually(t, "the API server to be started again", func(ctx context.Context) error {
				again := &corev1.Pod{}
				if err := world.Client.Get(ctx, client.ObjectKeyFromObject(&server), again); err != nil {
					return err
				}
				if was, is := server.Status.ContainerStatuses[0], again.Status.ContainerStatuses[0]; is.ContainerID == was.ContainerID || !is.Ready {
					return fmt.Errorf("it is not")
				}
				return nil
			})
			pods.flows(t)
			if pods.interrupted.Load() == 0 {
				t.Error("every creation was answered: the API server was not away")
			}
			eventually(t, "Credence to have noticed nothing", world.Running)
		})).
		Assess("no creation fails that the API server answers", step(pods.allAdmitted)).
		Assess("what ran goes on", step(appWorks)))
}

// worker is a node without the control plane.
func worker(t *testing.T) string {
	t.Helper()
	list := &corev1.NodeList{}
	must(t, world.Client.List(t.Context(), list))
	for _, node := range list.Items {
		if _, controls := node.Labels[controlPlaneLabel]; !controls {
			return node.Name
		}
	}
	t.Fatal("there is no node besides the control plane")
	return ""
}

// apiServer is the static pod of the API server.
func apiServer(t *testing.T) corev1.Pod {
	t.Helper()
	list := &corev1.PodList{}
	must(t, world.Client.List(t.Context(), list, client.InNamespace("kube-system"), client.MatchingLabels{"component": "kube-apiserver"}))
	if len(list.Items) != 1 {
		t.Fatalf("there are %d API servers", len(list.Items))
	}
	return list.Items[0]
}
