// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

// world is a project in the cluster.
type world struct {
	*testing.T
	namespace  string
	webhook    *local.Process
	controller *local.Process
}

// newWorld makes a project, and has the controller examine every second. A workload is
// let alone for so long after one of its pods was evicted.
func newWorld(t *testing.T, namespace string, patience time.Duration) *world {
	t.Helper()
	w := &world{T: t, namespace: namespace}
	var err error
	w.controller, err = cluster.StartProcess("controller", "--doctor-interval=1s", "--evict-interval="+patience.String(), "--repair=evict")
	w.must(err)
	t.Cleanup(w.controller.Stop)
	w.startWebhook()
	w.must(cluster.AwaitCredentials(t.Context()))
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{v1alpha1.LabelProject: namespace}}})
	return w
}

func (w *world) startWebhook() {
	w.Helper()
	var err error
	w.webhook, err = cluster.StartProcess("webhook")
	w.must(err)
	w.Cleanup(w.webhook.Stop)
	w.must(w.webhook.AwaitReady(w.Context()))
}

// bypass has the API server admit pods that ask for credentials while nobody answers,
// as an administrator does in an emergency.
func (w *world) bypass() {
	w.Helper()
	w.eventually("the webhook is bypassed", func(ctx context.Context) error {
		configuration := &admissionv1.MutatingWebhookConfiguration{}
		if err := cluster.Client().Get(ctx, client.ObjectKey{Name: "credence"}, configuration); err != nil {
			return err
		}
		for i := range configuration.Webhooks {
			ignore := admissionv1.Ignore
			configuration.Webhooks[i].FailurePolicy = &ignore
		}
		return cluster.Client().Update(ctx, configuration)
	})
	w.webhook.Stop()
	w.eventually("the API server admits without it", func(ctx context.Context) error {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, GenerateName: "probe-", Annotations: asking},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "images.example.net/app"}}}}
		return cluster.Client().Create(ctx, pod, client.DryRunAll)
	})
}

var asking = map[string]string{v1alpha1.AnnotationCredentials: "key"}

// credential makes a credential of the project, and waits until it can be used.
func (w *world) credential(name string, kind v1alpha1.CredentialType, secretType corev1.SecretType, data map[string]string) {
	w.Helper()
	w.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name, Labels: map[string]string{v1alpha1.LabelSourceType: string(kind)}},
		Type:       secretType, StringData: data,
	})
	c := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, Spec: v1alpha1.CredentialSpec{
		Type: kind, Scope: v1alpha1.Scope{Level: v1alpha1.ScopeProject}, SecretRef: v1alpha1.SecretReference{Name: name},
	}}
	w.create(c)
	w.eventually("credential "+name+" can be used", func(ctx context.Context) error {
		err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(c), c)
		if err == nil && c.Status.State != v1alpha1.StateNoIssuesFound {
			err = fmt.Errorf("its state is %q", c.Status.State)
		}
		return err
	})
}

// deployment makes a Deployment, and waits until all of its pods are stored.
func (w *world) deployment(name, image string, replicas int32, annotations map[string]string) *appsv1.Deployment {
	w.Helper()
	d := w.newDeployment(name, image, replicas, annotations)
	w.await(d)
	return d
}

// newDeployment is one that does not exist yet.
func (w *world) newDeployment(name, image string, replicas int32, annotations map[string]string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: image}}}},
	}}
}

// await makes a Deployment, and waits until all of its pods are stored.
func (w *world) await(d *appsv1.Deployment) {
	w.Helper()
	w.create(d)
	w.eventually("its pods are stored", func(ctx context.Context) error {
		if pods := w.pods(ctx, d.Name); len(pods) != int(*d.Spec.Replicas) {
			return fmt.Errorf("there are %d", len(pods))
		}
		return nil
	})
}

func (w *world) pods(ctx context.Context, app string) []corev1.Pod {
	w.Helper()
	var list corev1.PodList
	w.must(cluster.Client().List(ctx, &list, client.InNamespace(w.namespace), client.MatchingLabels{"app": app}))
	return list.Items
}

// has says whether a pod reads the credential's Secret, or pulls with it.
func has(pod *corev1.Pod, secret string) bool {
	for _, from := range pod.Spec.Containers[0].EnvFrom {
		if from.SecretRef != nil && from.SecretRef.Name == secret {
			return true
		}
	}
	for _, reference := range pod.Spec.ImagePullSecrets {
		if reference.Name == secret {
			return true
		}
	}
	return false
}

// told waits for an event about an object.
func (w *world) told(about client.Object, reason, note string) {
	w.Helper()
	w.eventually("it is told: "+note, func(ctx context.Context) error {
		for _, event := range w.events(ctx, about) {
			if event.Reason == reason && strings.Contains(event.Note, note) {
				return nil
			}
		}
		return fmt.Errorf("it is not, but: %v", w.events(ctx, about))
	})
}

func (w *world) events(ctx context.Context, about client.Object) (events []eventsv1.Event) {
	w.Helper()
	var list eventsv1.EventList
	w.must(cluster.Client().List(ctx, &list, client.InNamespace(w.namespace)))
	for _, event := range list.Items {
		if event.Regarding.UID == about.GetUID() && event.ReportingController == "credence-controller" {
			events = append(events, event)
		}
	}
	return events
}

func (w *world) controllerMetrics(ctx context.Context) (string, error) {
	text, err := w.controller.Metrics(ctx)
	return string(text), err
}

// doctor runs the command "credence doctor" as the administrator.
func (w *world) doctor(args ...string) (out string, status int) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, program, append([]string{"doctor", "--kubeconfig", cluster.Kubeconfig(), "-n", w.namespace}, args...)...)
	var stdout bytes.Buffer
	command.Stdout = &stdout
	if err := command.Run(); err != nil && command.ProcessState == nil {
		w.Fatal(err)
	}
	return stdout.String(), command.ProcessState.ExitCode()
}

func (w *world) create(object client.Object) {
	w.Helper()
	if err := cluster.Client().Create(w.Context(), object); err != nil {
		w.Fatalf("creating %T %s: %v", object, object.GetName(), err)
	}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) eventually(what string, check func(context.Context) error) {
	w.Helper()
	var last error
	err := local.Poll(w.Context(), what, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == nil, nil
	})
	if err != nil {
		w.Fatalf("%v: %v", err, last)
	}
}
