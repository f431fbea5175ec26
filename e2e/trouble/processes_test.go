// SPDX-License-Identifier: Apache-2.0

package trouble

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/credence-dev/credence/e2e/install"
)

// TestLeaderKilled: the leading controller ends without giving up its lease.
func TestLeaderKilled(t *testing.T) {
	pods := &stream{}
	var before string
	story(t, features.New("the leading controller is killed").
		Setup(step(pods.start)).
		Assess("another takes over", step(func(t *testing.T) {
			before = leader(t)
			killLeader(t)
			anotherLeads(t, before)
			pods.flows(t)
		})).
		Assess("it works", step(func(t *testing.T) {
			neighbour := newNamespace(fmt.Sprintf("trouble-%d-neighbour", time.Now().Unix()))
			must(t, world.Client.Create(t.Context(), neighbour))
			eventually(t, "copies in a new project", func(ctx context.Context) error { return copied(ctx, neighbour.Name) })
			must(t, remove(t.Context(), neighbour))
			eventually(t, "a new controller", world.Running)
		})).
		Assess("no creation notices", step(pods.unharmed)).
		Assess("what ran goes on", step(appWorks)))
}

// TestWebhooksKilled: nobody is left to inject. Pods are refused that long, and none is
// stored without its credentials.
func TestWebhooksKilled(t *testing.T) {
	pods := &stream{}
	story(t, features.New("all webhook pods are killed at once").
		Setup(step(pods.start)).
		Assess("pods are created again without help", step(func(t *testing.T) {
			killed := ours(t, "webhook")
			must(t, world.KillAndDelete(t.Context(), killed...))
			newPods(t, "webhook", killed)
			pods.flows(t)
			after := pods.refusals()
			pods.flows(t)
			if now := pods.refusals(); now > after {
				t.Errorf("%d creations failed after it was over: %v", now-after, pods.lastRefusal())
			}
		})).
		Assess("none was stored without its credentials", step(pods.injected)).
		Assess("what was refused was refused for the webhook", step(func(t *testing.T) {
			if len(pods.refused) == 0 {
				t.Error("nothing was refused: the webhook was not away")
			}
			for _, refused := range pods.refused {
				if !strings.Contains(refused.err.Error(), "inject.pods.credence.dev") {
					t.Errorf("a creation failed for another reason: %v", refused.err)
				}
			}
		})).
		Assess("what ran goes on", step(appWorks)))
}

// leader is who leads, the name of a pod and more.
func leader(t *testing.T) string {
	t.Helper()
	lease := &coordinationv1.Lease{}
	must(t, world.Client.Get(t.Context(), client.ObjectKey{Namespace: install.Namespace, Name: "credence-controller"}, lease))
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// killLeader has the leader's lease run out.
func killLeader(t *testing.T) {
	t.Helper()
	name, _, _ := strings.Cut(leader(t), "_")
	var leading *corev1.Pod
	for _, pod := range ours(t, "controller") {
		if pod.Name == name {
			leading = &pod
		}
	}
	if leading == nil {
		t.Fatalf("no pod of the controller is called %q, who leads", name)
	}
	must(t, world.KillAndDelete(t.Context(), *leading))
}

// anotherLeads waits for a new leader.
func anotherLeads(t *testing.T, before string) {
	t.Helper()
	eventually(t, "another leader", func(context.Context) error {
		if now := leader(t); now == "" || now == before {
			return fmt.Errorf("%q leads", now)
		}
		return nil
	})
}
