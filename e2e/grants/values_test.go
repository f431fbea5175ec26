// SPDX-License-Identifier: Apache-2.0

package grants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

// bundle has the project fetch data with certificates of the cluster's own, which
// change then: what the chart's value webhook.fetch.caConfigMap takes.
func (s *story) bundle() {
	const key = "ca.crt"
	ca := string(cluster.Plane().Config().CAData)
	own := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: local.InstallNamespace, Name: trust}, Data: map[string]string{key: ca}}
	data := &v1alpha1.DataSource{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: "bucket"}}
	data.Spec.Scope.Level = v1alpha1.ScopeProject
	data.Spec.S3 = &v1alpha1.S3Source{Endpoint: "https://s3.example.com", Bucket: "public", Path: "/data"}
	s.create(own, data)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: "fetches", Annotations: map[string]string{v1alpha1.AnnotationDataSources: "bucket"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/app"}}},
	}
	s.eventually("a pod that fetches", func(ctx context.Context) error { return s.client.Create(ctx, pod) })
	if !slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.ConfigMap != nil && v.ConfigMap.Name == trust }) {
		s.Errorf("the pod does not mount ConfigMap %s", trust)
	}
	copied := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: trust}}
	s.wait(copied, "the certificates", func() bool { return copied.Data[key] == ca })
	patch, err := json.Marshal(map[string]any{"data": map[string]string{key: ca + ca}})
	if err != nil {
		s.Fatal(err)
	}
	s.patch(own, string(patch))
	s.wait(copied, "the new certificates", func() bool { return copied.Data[key] == ca+ca })
}

// evict has a pod replaced that waits for an image, because a registry login came
// after it: what the chart's value repair takes.
func (s *story) evict() {
	labels := map[string]string{"app": "waits"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: "waits"},
		Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "private.example.com/app"}}},
		}},
	}
	s.create(deployment)
	// pod waits for the one that there is, and returns its UID.
	pod := func(what string, is func(*corev1.Pod) bool) string {
		pods := &corev1.PodList{}
		s.eventually(what, func(ctx context.Context) error {
			if err := s.client.List(ctx, pods, client.InNamespace(project), client.MatchingLabels(labels)); err != nil {
				return err
			}
			if len(pods.Items) != 1 {
				return fmt.Errorf("there are %d pods", len(pods.Items))
			}
			if !is(&pods.Items[0]) {
				return errors.New("it is another")
			}
			return nil
		})
		return string(pods.Items[0].UID)
	}
	before := pod("a pod without the login", func(p *corev1.Pod) bool { return len(p.Spec.ImagePullSecrets) == 0 })

	login := source(project, "login", map[string]string{v1alpha1.LabelSourceType: string(v1alpha1.DockerRegistry)})
	login.Type = corev1.SecretTypeDockerConfigJson
	login.StringData = map[string]string{corev1.DockerConfigJsonKey: `{"auths":{"private.example.com":{}}}`}
	c := generic(project, "login")
	c.Spec.Type = v1alpha1.DockerRegistry
	s.create(login, c)
	after := pod("a pod with the login", func(p *corev1.Pod) bool {
		return slices.Contains(p.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: login.Name})
	})
	if before == after {
		s.Error("the pod was not replaced")
	}
}
