// SPDX-License-Identifier: Apache-2.0

package grants

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// assets has one asset of each kind, and waits for what is said of it.
func (s *story) assets() {
	here := metav1.ObjectMeta{Namespace: project, Name: "asset"}
	head := v1alpha1.AssetHead{Scope: v1alpha1.Scope{Level: v1alpha1.ScopeProject}}
	environment := &v1alpha1.Environment{ObjectMeta: here, Spec: v1alpha1.EnvironmentSpec{AssetHead: head, Image: "registry.example.com/app"}}
	data := &v1alpha1.DataSource{ObjectMeta: here, Spec: v1alpha1.DataSourceSpec{AssetHead: head,
		Secret: &v1alpha1.CredentialMount{Credential: "shared", MountPath: "/etc/shared"}}}
	template := &v1alpha1.WorkloadTemplate{ObjectMeta: here, Spec: v1alpha1.WorkloadTemplateSpec{AssetHead: head, Environment: "asset"}}
	for object, status := range map[client.Object]*v1alpha1.AssetStatus{
		environment: &environment.Status, data: &data.Status, template: &template.Status,
	} {
		s.create(object)
		s.wait(object, "its status", func() bool { return status.ObservedGeneration == object.GetGeneration() })
	}
	for _, object := range []client.Object{template, data, environment} {
		s.eventually("an asset to go", func(ctx context.Context) error {
			return client.IgnoreNotFound(s.client.Delete(ctx, object))
		})
	}
}
