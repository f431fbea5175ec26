// SPDX-License-Identifier: Apache-2.0

package trouble

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/credence-dev/credence/e2e/install"
)

// TestWebhookAway: pods that do not ask for credentials start while the webhook is away,
// and lack the pull secrets that they would have got. They are found. Those that ask
// come when it is back.
func TestWebhookAway(t *testing.T) {
	pods := &stream{}
	plain, asks := deployment("plain", registryHost+"/app"), deployment("asks", "images.example.net/app")
	asks.Spec.Template.Annotations = asking
	story(t, features.New("the webhook is away").
		Setup(step(hurry)).
		Setup(step(pods.start)).
		Assess("pods start that do not ask", step(func(t *testing.T) {
			scaleWebhook(t, 0)
			must(t, world.Client.Create(t.Context(), asks))
			must(t, world.Client.Create(t.Context(), plain))
			pod := podOf(t, plain)
			if len(pod.Spec.ImagePullSecrets) > 0 {
				t.Error("it has a pull secret: the webhook was not away")
			}
		})).
		Assess("and are told of, for they cannot pull", step(func(t *testing.T) { told(t, plain, "PullSecretMissing") })).
		Assess("pods that ask come when it is back", step(func(t *testing.T) {
			if of := podsOf(t, asks); len(of) > 0 {
				t.Errorf("pod %s is there, and the webhook away", of[0].Name)
			}
			scaleWebhook(t, 2)
			pod := podOf(t, asks)
			if missing := lacks(&pod); missing != "" {
				t.Errorf("it lacks %s", missing)
			}
			pods.flows(t)
		})).
		Assess("none was stored without its credentials", step(pods.injected)).
		Assess("what ran goes on", step(appWorks)).
		Teardown(step(func(t *testing.T) {
			scaleWebhook(t, 2)
			for _, made := range []client.Object{plain, asks} {
				must(t, client.IgnoreNotFound(world.Client.Delete(t.Context(), made)))
			}
		})))
}

// deployment is one of a single pod whose image nobody has.
func deployment(name, image string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: scene.namespace, Name: name}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
			SecurityContext:               &corev1.PodSecurityContext{RunAsUser: new(int64(65532))},
			TerminationGracePeriodSeconds: new(int64(1)),
			Containers:                    []corev1.Container{{Name: "main", Image: image}},
		}},
	}}
}

// scaleWebhook waits until there are so many and no others.
func scaleWebhook(t *testing.T, replicas int) {
	t.Helper()
	scale := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))
	must(t, world.Client.Patch(t.Context(), deploymentOf("credence-webhook"), scale))
	eventually(t, fmt.Sprintf("%d webhooks", replicas), world.Running)
}

// deploymentOf names one of Credence's own.
func deploymentOf(process string) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: install.Namespace, Name: process}}
}

func podsOf(t *testing.T, of *appsv1.Deployment) []corev1.Pod {
	t.Helper()
	list := &corev1.PodList{}
	must(t, world.Client.List(t.Context(), list, client.InNamespace(of.Namespace), client.MatchingLabels{"app": of.Name}))
	return list.Items
}

// podOf waits for the pod of a Deployment.
func podOf(t *testing.T, of *appsv1.Deployment) corev1.Pod {
	t.Helper()
	var found []corev1.Pod
	eventually(t, "a pod of "+of.Name, func(context.Context) error {
		if found = podsOf(t, of); len(found) != 1 {
			return fmt.Errorf("there are %d", len(found))
		}
		return nil
	})
	return found[0]
}

// told waits for an event of the controller about an object.
func told(t *testing.T, about client.Object, reason string) {
	t.Helper()
	eventually(t, "event "+reason, func(ctx context.Context) error {
		list := &eventsv1.EventList{}
		if err := world.Client.List(ctx, list, client.InNamespace(about.GetNamespace())); err != nil {
			return err
		}
		for _, event := range list.Items {
			if event.Regarding.UID == about.GetUID() && event.Reason == reason && event.ReportingController == "credence-controller" {
				return nil
			}
		}
		return fmt.Errorf("there is none among %d", len(list.Items))
	})
}
