// SPDX-License-Identifier: Apache-2.0

package trouble

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/credence-dev/credence/e2e/install"
)

// TestRollingUpgrade: every pod of Credence is replaced by helm.
func TestRollingUpgrade(t *testing.T) {
	pods := &stream{}
	before := map[string]bool{}
	story(t, features.New("a rolling upgrade").
		Setup(step(func(t *testing.T) {
			for _, pod := range ours(t, "") {
				before[pod.Name] = true
			}
			pods.start(t)
		})).
		Assess("every pod of Credence is replaced", step(func(t *testing.T) {
			must(t, world.Install(t.Context(), append(byHand, "--set-string=podAnnotations.trouble="+scene.namespace)...))
			eventually(t, "the old pods to be gone", world.Running)
			for _, pod := range ours(t, "") {
				if before[pod.Name] {
					t.Errorf("pod %s is the old one", pod.Name)
				}
			}
			pods.flows(t)
		})).
		Assess("no creation notices", step(pods.unharmed)).
		Assess("what ran goes on", step(appWorks)))
}

// ours are the pods of a process of Credence, or of all.
func ours(t *testing.T, process string) []corev1.Pod {
	t.Helper()
	labels := client.MatchingLabels{"app.kubernetes.io/name": "credence"}
	if process != "" {
		labels["app.kubernetes.io/component"] = process
	}
	list := &corev1.PodList{}
	must(t, world.Client.List(t.Context(), list, client.InNamespace(install.Namespace), labels))
	if len(list.Items) == 0 {
		t.Fatalf("there are no pods of Credence %s", process)
	}
	return list.Items
}

// appWorks says that what runs on the nodes sees its credentials.
func appWorks(t *testing.T) {
	t.Helper()
	eventually(t, "the app", scene.appWorks)
}

// newPods waits until pods have taken the place of others.
func newPods(t *testing.T, process string, old []corev1.Pod) {
	t.Helper()
	eventually(t, "new pods", func(ctx context.Context) error {
		if err := world.Running(ctx); err != nil {
			return err
		}
		for _, pod := range ours(t, process) {
			for _, gone := range old {
				if pod.UID == gone.UID {
					return fmt.Errorf("pod %s is still there", pod.Name)
				}
			}
		}
		return nil
	})
}
