// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/usage/object"
)

// hub is the credential that most tests ask about.
var hub = Query{Name: "hub", Secret: "dockerregistry-hub", Namespaces: []string{"a"}}

// names is metadata in namespace a, with the UID "uid-<name>".
func names(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "a", Name: name, UID: types.UID("uid-" + name)}
}

// by gives an object a controller, of which the UID is "uid-<name>".
func by[T metav1.Object](apiVersion, kind, name string, object T) T {
	object.SetOwnerReferences([]metav1.OwnerReference{
		{APIVersion: "v1", Kind: "ConfigMap", Name: "no-controller", UID: "uid-no-controller"},
		{APIVersion: apiVersion, Kind: kind, Name: name, UID: types.UID("uid-" + name), Controller: new(true)},
	})
	return object
}

// annotated gives an object annotations, as keys and values in turn.
func annotated[T metav1.Object](object T, keysAndValues ...string) T {
	annotations := map[string]string{}
	for i := 0; i < len(keysAndValues); i += 2 {
		annotations[keysAndValues[i]] = keysAndValues[i+1]
	}
	object.SetAnnotations(annotations)
	return object
}

// naming gives an object the annotation that names hub.
func naming[T metav1.Object](object T) T {
	return annotated(object, v1alpha1.AnnotationCredentials, "hub")
}

// injected gives a pod the record of an automatic pull secret.
func injected(pod *corev1.Pod) *corev1.Pod {
	return annotated(pod, v1alpha1.AnnotationInjected, `{"hub":["imagePullSecrets (automatic)"]}`)
}

func pulling(secrets ...string) corev1.PodSpec {
	var spec corev1.PodSpec
	for _, secret := range secrets {
		spec.ImagePullSecrets = append(spec.ImagePullSecrets, corev1.LocalObjectReference{Name: secret})
	}
	return spec
}

// reading is a spec with a container for each Secret, which reads it through
// envFrom or, if it is an init container, a variable. Containers are named after
// what they read.
func reading(secrets ...string) corev1.PodSpec {
	var spec corev1.PodSpec
	for _, secret := range secrets {
		source := corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: secret}}}
		spec.Containers = append(spec.Containers, corev1.Container{Name: secret, EnvFrom: []corev1.EnvFromSource{source}})
	}
	return spec
}

func variable(container, secret string) corev1.Container {
	selector := &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: "key"}
	return corev1.Container{Name: container, Env: []corev1.EnvVar{
		{Name: "PLAIN", Value: "value"}, {Name: "SECRET", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: selector}},
	}}
}

func mounting(secret string) corev1.PodSpec {
	return corev1.PodSpec{Volumes: []corev1.Volume{
		{Name: "secret", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}}},
	}}
}

func runs(container string, since time.Time) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: container, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(since)}}}
}

func pod(name string, spec corev1.PodSpec) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: names(name), Spec: spec, Status: corev1.PodStatus{Phase: corev1.PodRunning}}
}

func in(phase corev1.PodPhase, pod *corev1.Pod) *corev1.Pod {
	pod.Status.Phase = phase
	return pod
}

func deployment(name string, spec corev1.PodSpec) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: names(name), Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: spec}}}
}

func replicaSet(name string, spec corev1.PodSpec) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{ObjectMeta: names(name), Spec: appsv1.ReplicaSetSpec{Template: corev1.PodTemplateSpec{Spec: spec}}}
}

func job(name string, spec corev1.PodSpec, conditions ...batchv1.JobConditionType) *batchv1.Job {
	job := &batchv1.Job{ObjectMeta: names(name), Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: spec}}}
	for _, condition := range conditions {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: condition, Status: corev1.ConditionTrue})
	}
	return job
}

func cronJob(name string, spec corev1.PodSpec) *batchv1.CronJob {
	cron := &batchv1.CronJob{ObjectMeta: names(name)}
	cron.Spec.JobTemplate.Spec.Template.Spec = spec
	return cron
}

func podTemplate(name string, spec corev1.PodSpec) *corev1.PodTemplate {
	return &corev1.PodTemplate{ObjectMeta: names(name), Template: corev1.PodTemplateSpec{Spec: spec}}
}

func account(name string, secrets ...string) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		ObjectMeta: names(name), ImagePullSecrets: pulling(secrets...).ImagePullSecrets,
		Secrets: []corev1.ObjectReference{{Name: "dockerregistry-mountable"}},
	}
}

// indexOf is an index that has seen objects in their order.
func indexOf(t testing.TB, objects ...any) *Index {
	t.Helper()
	x := NewIndex()
	for _, one := range objects {
		x.Set(readAny(t, one))
	}
	return x
}

func readAny(t testing.TB, one any) object.Object {
	t.Helper()
	read, ok := object.Read(one)
	if !ok {
		t.Fatalf("a %T is not read", one)
	}
	return read
}

func user(kind, name string) User {
	return User{kind, types.NamespacedName{Namespace: "a", Name: name}}
}
