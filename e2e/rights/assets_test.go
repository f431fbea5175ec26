// SPDX-License-Identifier: Apache-2.0

package rights

import (
	"context"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// assetKinds make an asset of each kind, with a head.
var assetKinds = map[string]func(metav1.ObjectMeta, v1alpha1.AssetHead) client.Object{
	"environments": func(meta metav1.ObjectMeta, head v1alpha1.AssetHead) client.Object {
		return &v1alpha1.Environment{ObjectMeta: meta, Spec: v1alpha1.EnvironmentSpec{AssetHead: head}}
	},
	"datasources": func(meta metav1.ObjectMeta, head v1alpha1.AssetHead) client.Object {
		return &v1alpha1.DataSource{ObjectMeta: meta, Spec: v1alpha1.DataSourceSpec{AssetHead: head, S3: &v1alpha1.S3Source{Bucket: "bucket", Path: "/bucket"}}}
	},
	"workloadtemplates": func(meta metav1.ObjectMeta, head v1alpha1.AssetHead) client.Object {
		return &v1alpha1.WorkloadTemplate{ObjectMeta: meta, Spec: v1alpha1.WorkloadTemplateSpec{AssetHead: head, Environment: "torch"}}
	},
}

// assetLike is an asset where a credential is, with its name, scope and annotations.
func assetLike(kind string, c *v1alpha1.Credential) client.Object {
	meta := metav1.ObjectMeta{Namespace: c.Namespace, Name: c.Name, Annotations: c.Annotations, Finalizers: c.Finalizers}
	return assetKinds[kind](meta, v1alpha1.AssetHead{Scope: c.Spec.Scope})
}

// assetsHold tries the rights on assets of every kind and scope: those on
// credentials, by the same policies.
func assetsHold(t *testing.T) {
	operations := map[string]operation{}
	for kind := range assetKinds {
		for name, s := range scopes {
			found := assetLike(kind, credential(s.namespace, name, s.scope))
			going := assetLike(kind, credential(s.namespace, name+"-going", s.scope, held))
			create(t, found.DeepCopyObject().(client.Object), going)
			if err := admin.Delete(t.Context(), going); err != nil {
				t.Fatal(err)
			}
			for how, do := range map[string]func(context.Context, client.Client) error{
				"create": func(ctx context.Context, c client.Client) error {
					return c.Create(ctx, assetLike(kind, credential(s.namespace, "new", s.scope)), client.DryRunAll)
				},
				"rename": patchAsset(found, `{"spec": {"displayName": "Other"}}`),
				"delete": func(ctx context.Context, c client.Client) error {
					return c.Delete(ctx, found.DeepCopyObject().(client.Object), client.DryRunAll)
				},
			} {
				operations[fmt.Sprintf("%s, %s, %s", kind, name, how)] = operation{s.needs, do}
			}
			operations[fmt.Sprintf("%s, %s, remove the last finalizer", kind, name)] = operation{nil, patchAsset(going, `{"metadata": {"finalizers": null}}`)}
		}
		for name, forcedelete := range map[string]right{
			"cluster": "forcedelete clusters/local", "department": "forcedelete departments/research",
			"project": "forcedelete projects/a", "project-where-none-is": "forcedelete projects",
		} {
			s := scopes[name]
			found := assetLike(kind, credential(s.namespace, name, s.scope))
			operations[fmt.Sprintf("%s, %s, force-delete", kind, name)] = operation{
				append([]right{forcedelete}, s.needs...), patchAsset(found, `{"metadata": {"annotations": {"`+force+`": "true"}}}`),
			}
		}
		operations[kind+", widen"] = operation{
			[]right{"propagate departments/research", "propagate clusters/local"},
			patchAsset(assetLike(kind, credential(systemNamespace, "department", "research")), `{"spec": {"scope": {"level": "cluster", "department": null}}}`),
		}
	}
	hold(t, operations)
}

func patchAsset(object client.Object, patch string) func(context.Context, client.Client) error {
	return func(ctx context.Context, user client.Client) error {
		return user.Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, []byte(patch)), client.DryRunAll)
	}
}

// workloadKindsHold tries which roles reach the kinds of workloads: the cluster's
// administrators alone.
func workloadKindsHold(t *testing.T) {
	kind := func() *v1alpha1.WorkloadKind {
		return &v1alpha1.WorkloadKind{
			ObjectMeta: metav1.ObjectMeta{Name: "trainings.example.com"},
			Spec:       v1alpha1.WorkloadKindSpec{APIVersion: "example.com/v1", Kind: "Training", PodTemplatePaths: []string{".spec.template"}},
		}
	}
	for role, may := range map[string]bool{
		"credence-viewer": false, "credence-project-editor": false, "credence-department-admin": false, "credence-admin": true,
	} {
		user := as(t, "jane", role)
		for what, err := range map[string]error{
			"create": user.Create(t.Context(), kind(), client.DryRunAll),
			"list":   user.List(t.Context(), &v1alpha1.WorkloadKindList{}),
		} {
			if may && err != nil || !may && !apierrors.IsForbidden(err) {
				t.Errorf("%s: %s: %v, want it allowed: %t", role, what, err, may)
			}
		}
	}
}
