// SPDX-License-Identifier: Apache-2.0

package users

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/usage"
	"github.com/credence-dev/credence/usage/object"
)

// cluster is what a Counter knows, made by hand: the projects a and b, of which b
// belongs to the department research, whose home is home.
type cluster struct {
	testing.TB
	Counter
	index *usage.Index
}

func newCluster(t testing.TB) *cluster {
	layout := credential.DefaultLayout()
	layout.SystemNamespace = "system"
	c := &cluster{TB: t, index: usage.NewIndex()}
	for _, one := range object.BuiltIn {
		c.index.Replace(one.GroupKind(), nil)
	}
	c.Counter = Counter{Index: c.index, Catalog: catalog.New(layout)}
	c.Catalog.SetNamespace("a", map[string]string{v1alpha1.LabelProject: "a"})
	c.Catalog.SetNamespace("b", map[string]string{v1alpha1.LabelProject: "b", v1alpha1.LabelDepartment: "research"})
	c.Catalog.SetNamespace("home", map[string]string{v1alpha1.LabelDepartmentHome: "research"})
	c.Catalog.SetNamespace("plain", nil)
	return c
}

// scopes are those of the places where objects live.
var scopes = map[string]v1alpha1.Scope{
	"system": {Level: v1alpha1.ScopeCluster},
	"home":   {Level: v1alpha1.ScopeDepartment, Department: "research"},
	"a":      {Level: v1alpha1.ScopeProject},
	"b":      {Level: v1alpha1.ScopeProject},
	"plain":  {Level: v1alpha1.ScopeProject},
}

func split(key string) types.NamespacedName {
	namespace, name, _ := strings.Cut(key, "/")
	return types.NamespacedName{Namespace: namespace, Name: name}
}

func metaOf(key string) metav1.ObjectMeta {
	k := split(key)
	return metav1.ObjectMeta{Namespace: k.Namespace, Name: k.Name, UID: types.UID(key)}
}

func (c *cluster) credential(key string) {
	c.Catalog.Set(catalog.NewEntry(&v1alpha1.Credential{ObjectMeta: metaOf(key), Spec: v1alpha1.CredentialSpec{
		Type: v1alpha1.Generic, Scope: scopes[split(key).Namespace], SecretRef: v1alpha1.SecretReference{Name: "source"}}}))
}

func environment(key string, credentials ...v1alpha1.AssetName) *v1alpha1.Environment {
	return &v1alpha1.Environment{ObjectMeta: metaOf(key), Spec: v1alpha1.EnvironmentSpec{
		AssetHead: v1alpha1.AssetHead{Scope: scopes[split(key).Namespace]}, Credentials: credentials}}
}

func dataSource(key string, credential v1alpha1.AssetName) *v1alpha1.DataSource {
	return &v1alpha1.DataSource{ObjectMeta: metaOf(key), Spec: v1alpha1.DataSourceSpec{
		AssetHead: v1alpha1.AssetHead{Scope: scopes[split(key).Namespace]}, Secret: &v1alpha1.CredentialMount{Credential: credential}}}
}

func template(key string, environment v1alpha1.AssetName, dataSources []v1alpha1.AssetName, credentials ...v1alpha1.AssetName) *v1alpha1.WorkloadTemplate {
	return &v1alpha1.WorkloadTemplate{ObjectMeta: metaOf(key), Spec: v1alpha1.WorkloadTemplateSpec{
		AssetHead: v1alpha1.AssetHead{Scope: scopes[split(key).Namespace]}, Environment: environment, DataSources: dataSources, Credentials: credentials}}
}

func (c *cluster) assets(objects ...client.Object) {
	for _, o := range objects {
		c.Catalog.SetAsset(asset.New(o))
	}
}

func (c *cluster) set(objects ...any) {
	c.Helper()
	for _, o := range objects {
		read, ok := object.Read(o)
		if !ok {
			c.Fatalf("a %T is not read", o)
		}
		c.index.Set(read)
	}
}

func annotations(keysAndValues ...string) map[string]string {
	all := map[string]string{}
	for pair := range slices.Chunk(keysAndValues, 2) {
		all["credence.dev/"+pair[0]] = pair[1]
	}
	return all
}

func deployment(key string, keysAndValues ...string) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metaOf(key), Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: annotations(keysAndValues...)}}}}
}

func podTemplate(key string, keysAndValues ...string) *corev1.PodTemplate {
	return &corev1.PodTemplate{ObjectMeta: metaOf(key), Template: corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: annotations(keysAndValues...)}}}
}
