// SPDX-License-Identifier: Apache-2.0

package grants

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/e2e/local"
)

const (
	systemNamespace = "credence-credentials"
	project         = "project"
)

// story is all that Credence can be brought to do.
type story struct {
	*testing.T
	client client.Client
}

func newStory(t *testing.T) *story {
	s := &story{t, cluster.Client()}
	s.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: project, Labels: map[string]string{v1alpha1.LabelProject: project}}})
	return s
}

func (s *story) create(objects ...client.Object) {
	s.Helper()
	for _, object := range objects {
		if err := s.client.Create(s.Context(), object); err != nil {
			s.Fatalf("creating %T %s/%s: %v", object, object.GetNamespace(), object.GetName(), err)
		}
	}
}

func (s *story) patch(object client.Object, patch string) {
	s.Helper()
	if err := s.client.Patch(s.Context(), object, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		s.Fatalf("patching %T %s: %v", object, object.GetName(), err)
	}
}

func (s *story) eventually(what string, attempt func(context.Context) error) {
	s.Helper()
	if !until(s.T, what, attempt) {
		s.FailNow()
	}
}

// wait polls until an object, read anew, is as wanted.
func (s *story) wait(object client.Object, what string, is func() bool) {
	s.Helper()
	s.eventually(what, func(ctx context.Context) error {
		if err := s.client.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		if !is() {
			return fmt.Errorf("%T %s is not so yet", object, object.GetName())
		}
		return nil
	})
}

// source is a Secret that a label makes a source.
func source(namespace, name string, labels map[string]string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		StringData: map[string]string{"token": "not-a-secret"},
	}
}

// Labels of sources, made for a project and for the cluster.
var (
	ofProject = map[string]string{v1alpha1.LabelSourceType: "generic"}
	ofCluster = map[string]string{v1alpha1.LabelSourceType: "generic", v1alpha1.LabelSourceClusterWide: "true"}
)

// generic is a credential with the source of its name, of the cluster or, in a
// project, of that.
func generic(namespace, name string) *v1alpha1.Credential {
	c := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	c.Spec.Type, c.Spec.SecretRef.Name, c.Spec.Scope.Level = v1alpha1.Generic, name, v1alpha1.ScopeProject
	if namespace == systemNamespace {
		c.Spec.Scope.Level = v1alpha1.ScopeCluster
	}
	return c
}

// copyOf is where the project has the copy of a credential.
func copyOf(c *v1alpha1.Credential) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: credential.KubernetesName(c)}}
}

// spread brings a credential to the project, and values that change behind it.
func (s *story) spread() {
	c, from := generic(systemNamespace, "shared"), source(systemNamespace, "shared", ofCluster)
	c.Spec.Rotation = &v1alpha1.Rotation{Restart: true}
	s.create(from, c)
	s.wait(copyOf(c), "the copy", func() bool { return true })
}

// restart has a workload of each kind read values that change.
func (s *story) restart() {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}} // for the DaemonSet
	s.create(node)
	copied := copyOf(generic(systemNamespace, "shared"))
	labels := map[string]string{"reads": "shared"}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
		Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/app", EnvFrom: []corev1.EnvFromSource{
			{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: copied.Name}}},
		}}},
	}}
	selector := &metav1.LabelSelector{MatchLabels: labels}
	at := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: project, Name: name} }
	deployment := &appsv1.Deployment{ObjectMeta: at("d"), Spec: appsv1.DeploymentSpec{Selector: selector, Template: template}}
	statefulSet := &appsv1.StatefulSet{ObjectMeta: at("s"), Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template, ServiceName: "s"}}
	daemonSet := &appsv1.DaemonSet{ObjectMeta: at("a"), Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}}
	s.create(deployment, statefulSet, daemonSet)
	s.eventually("a pod of each to run", func(ctx context.Context) error { return s.run(ctx, labels, 3) })

	s.patch(source(systemNamespace, "shared", nil), `{"stringData":{"token":"not-a-secret-either"}}`)
	for object, template := range map[client.Object]*corev1.PodTemplateSpec{
		deployment: &deployment.Spec.Template, statefulSet: &statefulSet.Spec.Template, daemonSet: &daemonSet.Spec.Template,
	} {
		s.wait(object, "the restart", func() bool { return template.Annotations[v1alpha1.AnnotationRestartedFor] != "" })
	}
}

// run does as a kubelet would: pods run, for an hour already.
func (s *story) run(ctx context.Context, labels map[string]string, want int) error {
	pods := &corev1.PodList{}
	if err := s.client.List(ctx, pods, client.InNamespace(project), client.MatchingLabels(labels)); err != nil {
		return err
	}
	if len(pods.Items) < want {
		return fmt.Errorf("there are %d pods", len(pods.Items))
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		since := metav1.NewTime(time.Now().Add(-time.Hour))
		pod.Status.Phase = corev1.PodRunning
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "main", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: since}},
		}}
		if err := s.client.Status().Update(ctx, pod); err != nil {
			return err
		}
	}
	return nil
}

// adopt has a source that was made for a credential become that credential's.
func (s *story) adopt() {
	made := source(project, "made", map[string]string{v1alpha1.LabelSourceOf: "made"})
	made.Annotations = map[string]string{v1alpha1.AnnotationPending: "true"}
	s.create(made, generic(project, "made"))
	s.wait(made, "the source to be bound", func() bool { return len(made.OwnerReferences) > 0 })
}

// rotateCA replaces the CA of the webhooks.
func (s *story) rotateCA() {
	ca := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: local.InstallNamespace, Name: "credence-webhook-ca"}}
	s.wait(ca, "the CA", func() bool { return true })
	before := string(ca.Data[corev1.TLSCertKey])
	s.patch(ca, `{"metadata":{"annotations":{"credence.dev/rotate-ca":"now"}}}`)
	s.wait(ca, "another CA to sign", func() bool { return string(ca.Data[corev1.TLSCertKey]) != before })
}

// remove deletes a credential that nobody uses, with its copy, and one that somebody
// else holds.
func (s *story) remove() {
	brief := generic(systemNamespace, "brief")
	held := generic(project, "held")
	held.Finalizers = []string{"example.com/held"}
	s.create(source(systemNamespace, "brief", ofCluster), brief, source(project, "held", ofProject), held)
	s.wait(copyOf(brief), "the copy", func() bool { return true })
	for _, c := range []*v1alpha1.Credential{brief, held} {
		if err := s.client.Delete(s.Context(), c); err != nil {
			s.Fatal(err)
		}
	}
	s.eventually("the credential to go", func(ctx context.Context) error {
		err := s.client.Get(ctx, client.ObjectKeyFromObject(brief), brief)
		if err == nil {
			return fmt.Errorf("%v has finalizers %v", brief.DeletionTimestamp, brief.Finalizers)
		}
		return client.IgnoreNotFound(err)
	})
}

// askWebhook makes pods and a template, for show, that have the webhook ask the API
// server: of a namespace that is no project, of a credential and of assets that do not
// exist, and of owners, since the credential is being deleted. What becomes of them
// does not matter.
func (s *story) askWebhook(ctx context.Context) {
	owners := []metav1.OwnerReference{{}}
	for apiVersion, kinds := range map[string][]string{
		"apps/v1":  {"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"},
		"batch/v1": {"CronJob", "Job"},
		"v1":       {"ReplicationController"},
	} {
		for _, kind := range kinds {
			owners = append(owners, metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: "gone", UID: "gone", Controller: new(true)})
		}
	}
	ask := func(namespace, name string, owner metav1.OwnerReference) {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "asks", Annotations: map[string]string{v1alpha1.AnnotationCredentials: name}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/app"}}},
		}
		if owner.Kind != "" {
			pod.OwnerReferences = []metav1.OwnerReference{owner}
		}
		_ = s.client.Create(ctx, pod, client.DryRunAll)
	}
	template := &v1alpha1.WorkloadTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: "asks"}}
	template.Spec.Scope.Level, template.Spec.Environment, template.Spec.DataSources = v1alpha1.ScopeProject, "misspelt", []v1alpha1.AssetName{"misspelt"}
	_ = s.client.Create(ctx, template, client.DryRunAll)
	ask("default", "held", owners[0])
	ask(project, "misspelt", owners[0])
	for _, owner := range owners {
		ask(project, "held", owner)
	}
}
