// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/injector/remark"
)

// A workload is a Deployment with a ReplicaSet that runs, one that is kept for a
// rollback, and its pods.
const replicas = 10

// town is the population of the cluster of BenchmarkPods.
type town struct {
	projects, pods int
	credentials    []*v1alpha1.Credential
	sources        []*corev1.Secret
	template       *corev1.Pod
}

const (
	townDepartment  = "town"
	townDepartments = 50
)

// newTown makes the credentials: one in a hundred is the cluster's, four in a hundred
// are departments', the rest belong to projects. One in five is a login to a
// registry.
func newTown(projects, pods, credentials int) (*town, error) {
	t := &town{projects: projects, pods: pods}
	for i := range credentials {
		of, scope, namespace := v1alpha1.Generic, v1alpha1.Scope{Level: v1alpha1.ScopeProject}, t.project(i)
		switch i % 100 {
		case 0:
			scope.Level, namespace = v1alpha1.ScopeCluster, systemNamespace
		case 1, 2, 3, 4:
			scope, namespace = v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: t.department(i)}, systemNamespace
		}
		if i%5 == 0 {
			of = v1alpha1.DockerRegistry
		}
		secret := source(namespace, fmt.Sprintf("credential-%05d", i), of, scope)
		t.sources = append(t.sources, secret)
		t.credentials = append(t.credentials, credentialOf(secret, of, scope))
	}
	text, err := os.ReadFile("../../injector/testdata/benchmark/pod.json")
	if err != nil {
		return nil, err
	}
	t.template = &corev1.Pod{}
	return t, json.Unmarshal(text, t.template)
}

// statusFields is what the kubelet has on record as its own in every pod, shortened:
// with it a pod has 4.4 KiB in etcd.
const statusFields = `{"f:status":{"f:conditions":{` +
	`"k:{\"type\":\"ContainersReady\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:observedGeneration":{},"f:status":{},"f:type":{}},` +
	`"k:{\"type\":\"Initialized\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:observedGeneration":{},"f:status":{},"f:type":{}},` +
	`"k:{\"type\":\"PodReadyToStartContainers\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:observedGeneration":{},"f:status":{},"f:type":{}},` +
	`"k:{\"type\":\"Ready\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:observedGeneration":{},"f:status":{},"f:type":{}}},` +
	`"f:containerStatuses":{},"f:hostIP":{},"f:hostIPs":{},"f:observedGeneration":{},"f:phase":{},"f:podIP":{},` +
	`"f:podIPs":{".":{},"k:{\"ip\":\"10.244.3.17\"}":{".":{},"f:ip":{}}},"f:startTime":{}}}`

func (t *town) project(i int) string { return projectName(townDepartment, i%t.projects) }
func (t *town) department(i int) string {
	return fmt.Sprintf("%s-%d", townDepartment, i%t.projects%townDepartments)
}

// objects yields what is brought in: namespaces with their service account, sources
// and workloads. Each is made anew.
func (t *town) objects(yield func(client.Object) bool) {
	for i := range t.projects {
		account := &corev1.ServiceAccount{ObjectMeta: stored(t.project(i), "default")}
		if !yield(project(t.project(i), t.department(i))) || !yield(account) {
			return
		}
	}
	for _, secret := range t.sources {
		if !yield(secret.DeepCopy()) {
			return
		}
	}
	for i := range t.pods / replicas {
		for _, object := range t.workload(i) {
			if !yield(object) {
				return
			}
		}
	}
}

// workload makes one workload. It refers to two credentials of its project and,
// every other one, to one of the cluster.
func (t *town) workload(i int) []client.Object {
	namespace, name := t.project(i), fmt.Sprintf("web-%05d", i)
	template := t.podTemplate(i)
	deployment := &appsv1.Deployment{ObjectMeta: stored(namespace, name)}
	deployment.ManagedFields = t.template.ManagedFields
	deployment.Annotations = wishes(template.Annotations)
	deployment.Spec.Replicas = new(int32(replicas))
	deployment.Spec.Selector = &metav1.LabelSelector{MatchLabels: template.Labels}
	deployment.Spec.Template = template
	objects := []client.Object{deployment}
	var now *appsv1.ReplicaSet
	for _, hash := range []string{"5f7d9cbb4d", "6d4cf56db6"} {
		now = &appsv1.ReplicaSet{ObjectMeta: stored(namespace, name+"-"+hash)}
		now.ManagedFields = t.template.ManagedFields
		now.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(deployment, appsv1.SchemeGroupVersion.WithKind("Deployment"))}
		now.Spec.Replicas = new(int32(0))
		now.Spec.Selector = deployment.Spec.Selector
		now.Spec.Template = template
		objects = append(objects, now)
	}
	now.Spec.Replicas = deployment.Spec.Replicas
	for replica := range replicas {
		objects = append(objects, t.pod(now, replica))
	}
	return objects
}

// wishes are the annotations that people write.
func wishes(annotations map[string]string) map[string]string {
	kept := map[string]string{}
	for key, value := range annotations {
		if key != v1alpha1.AnnotationInjected {
			kept[key] = value
		}
	}
	return kept
}

// podTemplate is what the pods of a workload have, as injection leaves it.
func (t *town) podTemplate(i int) corev1.PodTemplateSpec {
	template := corev1.PodTemplateSpec{Spec: *t.template.Spec.DeepCopy()}
	template.Labels = t.template.Labels
	own := t.own(i)
	record := map[string][]string{own[0].Name: {"volume"}, own[1].Name: {"env"}}
	if i%2 == 0 {
		shared := t.shared(i / 2)
		template.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: credential.KubernetesName(shared)}}
		record[shared.Name] = []string{remark.AutomaticPullSecret}
	}
	injected, _ := json.Marshal(record) // strings always can be
	template.Annotations = map[string]string{
		"prometheus.io/scrape":               "true",
		v1alpha1.AnnotationMountPrefix + "x": own[0].Name + ":/etc/credentials",
		v1alpha1.AnnotationInjected:          string(injected),
	}
	container := &template.Spec.Containers[0]
	template.Spec.Volumes = append(template.Spec.Volumes, corev1.Volume{Name: "credence-0", VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: credential.KubernetesName(own[0]), DefaultMode: new(int32(0o440))},
	}})
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: "credence-0", MountPath: "/etc/credentials", ReadOnly: true})
	container.Env = append(container.Env, corev1.EnvVar{Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: credential.KubernetesName(own[1])}, Key: "token",
	}}})
	return template
}

// own are two credentials that live in the project of a workload, if it has so many.
func (t *town) own(i int) [2]*v1alpha1.Credential {
	n := len(t.credentials)
	first := i % t.projects % n
	return [2]*v1alpha1.Credential{t.credentials[first], t.credentials[(first+t.projects)%n]}
}

// shared is one of the cluster's credentials, which are a hundred apart.
func (t *town) shared(i int) *v1alpha1.Credential {
	return t.credentials[100*(i%max(1, len(t.credentials)/100))]
}

// pod makes a pod that runs, with all that a cluster adds.
func (t *town) pod(owner *appsv1.ReplicaSet, replica int) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: stored(owner.Namespace, fmt.Sprintf("%s-%05x", owner.Name, 7919*(replica+1)))}
	pod.GenerateName = owner.Name + "-"
	pod.Labels, pod.Annotations = owner.Spec.Template.Labels, owner.Spec.Template.Annotations
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}
	pod.ManagedFields = append(slices.Clip(t.template.ManagedFields), metav1.ManagedFieldsEntry{
		Manager: "kubelet", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Subresource: "status",
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(statusFields),
	})
	pod.Spec = *owner.Spec.Template.Spec.DeepCopy()
	pod.Spec.NodeName = fmt.Sprintf("node-%03d", replica)
	started := metav1.NewTime(time.Now().Add(-time.Hour).Truncate(time.Second))
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, QOSClass: corev1.PodQOSBurstable, StartTime: &started,
		HostIP: "10.0.0.7", HostIPs: []corev1.HostIP{{IP: "10.0.0.7"}},
		PodIP: "10.244.3.17", PodIPs: []corev1.PodIP{{IP: "10.244.3.17"}},
	}
	for _, condition := range []corev1.PodConditionType{
		corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled,
	} {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: condition, Status: corev1.ConditionTrue, LastTransitionTime: started})
	}
	for _, container := range pod.Spec.Containers {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: container.Name, Ready: true, Started: new(true), Image: container.Image,
			ImageID:     container.Image + "@sha256:7d4a8c3e9b1f5d2a6c0e8b4f7a3d9c1e5b2f8a6d4c0e9b7f3a1d5c8e2b6f4a90",
			ContainerID: "containerd://2f8a6d4c0e9b7f3a1d5c8e2b6f4a907d4a8c3e9b1f5d2a6c0e8b4f7a3d9c1e5b",
			State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: started}},
		})
	}
	return pod
}
