// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller"
	"github.com/credence-dev/credence/usage"
)

// lateIndex says that it is complete only once it is told to.
type lateIndex struct {
	*usage.Index
	complete *atomic.Bool
}

func (l lateIndex) Synced() bool { return l.complete.Load() && l.Index.Synced() }

// follow has an index of who uses what run with a manager. With w.late it is not
// complete before that is set.
func (w *world) follow(mgr ctrl.Manager) controller.Index {
	w.Helper()
	index := usage.NewIndex()
	follower, err := usage.Follow(mgr.GetConfig(), index, usage.Options{RetryBase: 50 * time.Millisecond, RetryMax: 50 * time.Millisecond})
	w.must(err)
	w.must(mgr.Add(follower))
	if w.late != nil {
		return lateIndex{index, w.late}
	}
	return index
}

// asking annotates what has pods.
func asking(credential string) map[string]string {
	return map[string]string{v1alpha1.AnnotationCredentials: credential}
}

var container = corev1.Container{Name: "main", Image: "image.example.com/main"}

// deployment makes a Deployment whose pods ask for a credential.
func (w *world) deployment(namespace, name, credential string) *appsv1.Deployment {
	w.Helper()
	labels := map[string]string{"app": name}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: asking(credential)},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{container}},
		}},
	}
	w.must(w.Create(w.Context(), d))
	return d
}

// pod makes a bare pod. It reads a Secret into its environment, if that has a name.
func (w *world) pod(namespace, name, secret string, change func(*corev1.Pod)) *corev1.Pod {
	w.Helper()
	main := container
	if secret != "" {
		main.EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: secret}}}}
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.PodSpec{Containers: []corev1.Container{main}}}
	if change != nil {
		change(pod)
	}
	w.must(w.Create(w.Context(), pod))
	return pod
}

// started says that a pod's container runs since a time, as its kubelet would.
func (w *world) started(pod *corev1.Pod, at time.Time) {
	w.Helper()
	pod.Status.Phase = corev1.PodRunning
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", Image: "i", ImageID: "i",
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(at)}}}}
	w.must(w.Status().Update(w.Context(), pod))
}

// remove deletes an object at once.
func (w *world) remove(object client.Object) {
	w.Helper()
	w.must(w.Delete(w.Context(), object, client.GracePeriodSeconds(0)))
}
