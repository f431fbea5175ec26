// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestOtherKinds: each kind is looked at once, as the webhook and the controllers take
// it.
func TestOtherKinds(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, one := range []string{"v1 apps Deployment", "v1 ray.io RayJob", "v2beta1 kubeflow.org MPIJob", "v1 example.com Pipeline", "v2 example.com Pipeline"} {
		var gvk schema.GroupVersionKind
		gvk.Version, one, _ = strings.Cut(one, " ")
		gvk.Group, gvk.Kind, _ = strings.Cut(one, " ")
		mapper.Add(gvk, meta.RESTScopeNamespace)
	}
	now := time.Now()
	told := func(name, apiVersion, kind string, age time.Duration, path string) *v1alpha1.WorkloadKind {
		return &v1alpha1.WorkloadKind{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(now.Add(-age))},
			Spec:       v1alpha1.WorkloadKindSpec{APIVersion: apiVersion, Kind: kind, PodTemplatePaths: []string{path}},
		}
	}
	cluster := &Cluster{Client: fake.NewClientBuilder().WithScheme(scheme).WithRESTMapper(mapper).WithObjects(
		told("a-younger", "example.com/v2", "Pipeline", time.Minute, ".spec.younger"),
		told("b-older", "example.com/v1", "Pipeline", time.Hour, ".spec.older"),
		told("c-known", "kubeflow.org/v2beta1", "MPIJob", time.Hour, ".spec.other"),
		told("d-built-in", "apps/v1", "Deployment", time.Hour, ".spec.template"),
		told("e-malformed", "example.com/v1", "Step", time.Hour, "template"),
		told("f-nowhere", "example.com/v1", "Stage", time.Hour, ".template"),
	).Build()}
	kinds, err := cluster.otherKinds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for gvk, kind := range kinds {
		got[gvk.GroupVersion().String()+" "+gvk.Kind] = kind.Paths[0].String()
	}
	want := map[string]string{
		"ray.io/v1 RayJob": ".spec.rayClusterSpec.headGroupSpec.template", "kubeflow.org/v2beta1 MPIJob": ".spec.mpiReplicaSpecs.*.template",
		"example.com/v1 Pipeline": ".spec.older",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
