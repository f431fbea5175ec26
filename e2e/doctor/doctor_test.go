// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestBypassed is failure mode 2. A Deployment's pods come while the webhook is
// bypassed and away: they are found, and told of at the Deployment. While the webhook
// is away none is replaced; when it is back each is, one after the other, by one that
// is injected, and none twice.
func TestBypassed(t *testing.T) {
	const patience = 5 * time.Second
	w := newWorld(t, "bypassed", patience)
	w.credential("key", v1alpha1.Generic, corev1.SecretTypeOpaque, map[string]string{"token": "not-a-secret"})
	w.bypass()
	web := w.deployment("web", "images.example.net/app", 2, asking)
	gone := w.watchPods("web")
	w.told(web, "NotInjected", `have nothing of credential "key", which their annotations name`)
	w.told(web, "NotReplaced", "a new pod was not injected either when it was tried")
	if out, status := w.doctor(); status != 1 || strings.Count(out, "Deployment/web   NotInjected") != 2 {
		t.Errorf("credence doctor: exit status %d\n%s", status, out)
	}
	if went := gone(); len(went) > 0 {
		t.Fatalf("pods are replaced while nobody injects: %v", went)
	}

	w.startWebhook()
	w.eventually("the pods are injected", func(ctx context.Context) error {
		for _, pod := range w.pods(ctx, "web") {
			if !has(&pod, "key") {
				return fmt.Errorf("pod %s is not", pod.Name)
			}
		}
		return nil
	})
	w.told(web, "ReplacedPod", `which lacked credential "key"; a new one has it`)
	w.eventually("nothing is found any more", func(context.Context) error {
		if out, status := w.doctor(); status != 0 {
			return errors.New(out)
		}
		return nil
	})
	went := gone()
	if len(went) != 2 {
		t.Errorf("%d pods went, want each once", len(went))
	}
	if len(went) == 2 && went[1].Sub(went[0]) < patience-time.Second {
		t.Errorf("the second went %s after the first", went[1].Sub(went[0]))
	}
	found := 0
	for _, event := range w.events(t.Context(), web) {
		if event.Reason == "NotInjected" {
			found++
		}
	}
	if found != 1 {
		t.Errorf("it was told %d times", found)
	}
}

// watchPods returns what tells when pods of a Deployment went, in order.
func (w *world) watchPods(app string) func() []time.Time {
	w.Helper()
	watcher, err := cluster.Client().Watch(w.Context(), &corev1.PodList{}, client.InNamespace(w.namespace), client.MatchingLabels{"app": app})
	w.must(err)
	w.Cleanup(watcher.Stop)
	var mu sync.Mutex
	var gone []time.Time
	going := map[types.UID]bool{}
	go func() {
		for event := range watcher.ResultChan() {
			pod, ok := event.Object.(*corev1.Pod)
			if !ok {
				continue
			}
			mu.Lock()
			if (event.Type == watch.Deleted || pod.DeletionTimestamp != nil) && !going[pod.UID] {
				going[pod.UID] = true
				gone = append(gone, time.Now())
			}
			mu.Unlock()
		}
	}()
	return func() []time.Time {
		mu.Lock()
		defer mu.Unlock()
		return append([]time.Time(nil), gone...)
	}
}

// TestLoginCameLater: a pod that waits for its images gets the pull secret that serves
// them now, by being replaced.
func TestLoginCameLater(t *testing.T) {
	w := newWorld(t, "login", time.Second)
	web := w.deployment("web", "registry.example.com/app", 1, nil)
	w.credential("hub", v1alpha1.DockerRegistry, corev1.SecretTypeDockerConfigJson, map[string]string{".dockerconfigjson": `{"auths":{"registry.example.com":{}}}`})
	w.told(web, "PullSecretMissing", `registry login "hub"`)
	w.eventually("the pod is replaced by one that pulls with it", func(ctx context.Context) error {
		pods := w.pods(ctx, "web")
		if len(pods) != 1 || !has(&pods[0], "hub") {
			return fmt.Errorf("%d pods", len(pods))
		}
		return nil
	})
	w.told(web, "ReplacedPod", `registry login "hub"`)
}

// TestBudget: a PodDisruptionBudget that allows no disruption is respected, for pods
// that run.
func TestBudget(t *testing.T) {
	w := newWorld(t, "budget", time.Second)
	w.credential("key", v1alpha1.Generic, corev1.SecretTypeOpaque, map[string]string{"token": "not-a-secret"})
	w.create(&policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "web"}, Spec: policyv1.PodDisruptionBudgetSpec{
		MinAvailable: &intstr.IntOrString{IntVal: 1}, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
	}})
	w.bypass()
	w.deployment("web", "images.example.net/app", 1, asking)
	gone := w.watchPods("web")
	pod := w.pods(t.Context(), "web")[0]
	w.eventually("the pod runs", func(ctx context.Context) error {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: pod.Name}}
		if err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		pod.Status.Phase = corev1.PodRunning
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		return cluster.Client().Status().Update(ctx, pod)
	})
	w.startWebhook()
	w.eventually("the budget is in the way", func(ctx context.Context) error {
		metrics, err := w.controllerMetrics(ctx)
		if err != nil || !strings.Contains(metrics, `credence_doctor_evictions_total{outcome="blocked"}`) {
			return errors.Join(err, errors.New("it is not"))
		}
		return nil
	})
	if out, status := w.doctor("--repair=evict"); status != 1 || !strings.Contains(out, "PodDisruptionBudget") {
		t.Errorf("credence doctor: exit status %d\n%s", status, out)
	}
	if went := gone(); len(went) > 0 {
		t.Error("the pod is replaced although its budget does not allow it")
	}
}

// TestWarningsAreRepeated: what is said of a pod that a controller makes, nobody reads.
// It is told once at the Deployment, for all replicas.
func TestWarningsAreRepeated(t *testing.T) {
	w := newWorld(t, "warnings", time.Minute)
	w.credential("key", v1alpha1.Generic, corev1.SecretTypeOpaque, map[string]string{"token": "not-a-secret"})
	deploy := func(name, variable string) *appsv1.Deployment {
		d := w.newDeployment(name, "images.example.net/app", 3, map[string]string{"env.credence.dev/" + variable: "key/token"})
		d.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: variable, Value: "own"}}
		w.await(d)
		return d
	}
	web := deploy("web", "TOKEN")
	w.told(web, "InjectionWarning", `container "main" already sets variable TOKEN, which is kept instead of credential "key"`)
	api := deploy("api", "KEY")
	w.told(api, "InjectionWarning", "variable KEY")
	if events := w.events(t.Context(), web); len(events) != 1 {
		t.Errorf("%d events, want one for all replicas: %v", len(events), events)
	}
}
