// SPDX-License-Identifier: Apache-2.0

package users

import (
	"fmt"
	"maps"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/asset"
)

// The cluster of the benchmark: 5,000 Deployments in 500 projects, with one or ten
// replicas each, 1,000 credentials and 200 assets. Each Deployment names a credential
// of its own, an environment and a data source, and everybody got one pull secret
// automatically. As many pods again are nobody's, and name one credential.
const (
	benchProjects    = 500
	benchDeployments = 5000
	benchCredentials = 1000
	benchAssets      = 200
)

// promised is how long a decision may take, in milliseconds.
const promised = 5

func benchCluster(b *testing.B, replicas int) *cluster {
	c := newCluster(b)
	for i := range benchProjects {
		name := fmt.Sprintf("p%03d", i)
		c.Catalog.SetNamespace(name, map[string]string{v1alpha1.LabelProject: name})
	}
	for i := range benchCredentials {
		c.credential(fmt.Sprintf("system/c%d", i))
	}
	for _, name := range []string{"given", "pulled", "bare", "unused"} {
		c.credential("system/" + name)
	}
	for i := range benchAssets / 2 {
		c.assets(environment(fmt.Sprintf("system/e%d", i), "given"), dataSource(fmt.Sprintf("system/d%d", i), "given"))
	}
	for i := range benchDeployments {
		c.benchWorkload(i, replicas)
	}
	return c
}

func (c *cluster) benchWorkload(i, replicas int) {
	namespace, name := fmt.Sprintf("p%03d", i%benchProjects), fmt.Sprintf("w%04d", i)
	asks := annotations("credentials", fmt.Sprintf("c%d", i%benchCredentials), "environment", fmt.Sprintf("e%d", i%97), "data-sources", fmt.Sprintf("d%d", i%89))
	web := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(name)}}
	web.Spec.Template.Annotations = asks
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name + "-1", UID: types.UID(name + "-1"),
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: name, UID: web.UID, Controller: new(true)}}}}
	c.set(web, set)
	for replica := range replicas {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("%s-%d", set.Name, replica), Annotations: maps.Clone(asks),
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: set.Name, UID: set.UID, Controller: new(true)}}}}
		pod.Annotations["credence.dev/injected"] = `{"pulled": ["imagePullSecrets (automatic)"]}`
		pod.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "genericsecret-pulled"}}
		read := func(name string) corev1.EnvFromSource {
			return corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "genericsecret-" + name}}}
		}
		pod.Spec.Containers = []corev1.Container{{Name: "main", EnvFrom: []corev1.EnvFromSource{read(fmt.Sprintf("c%d", i%benchCredentials)), read("given")}}}
		c.set(pod, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("bare-%s-%d", name, replica), Annotations: annotations("credentials", "bare")}})
	}
}

// BenchmarkUsersOf is how long whoever deletes something waits to know who uses it: a
// credential that one of a thousand names, one that all workloads have through 200
// assets, a pull secret that all got automatically, one that all bare pods name, one
// that nobody uses, and an asset. More replicas must not take longer.
func BenchmarkUsersOf(b *testing.B) {
	for _, replicas := range []int{1, 10} {
		c := benchCluster(b, replicas)
		for _, one := range []struct {
			kind asset.Kind
			name string
		}{
			{asset.Credential, "c1"}, {asset.Credential, "given"}, {asset.Credential, "pulled"},
			{asset.Credential, "bare"}, {asset.Credential, "unused"}, {asset.Environment, "e1"},
		} {
			b.Run(fmt.Sprintf("%s/%d-pods", one.name, replicas*benchDeployments), func(b *testing.B) {
				var used v1alpha1.UsedBy
				for b.Loop() {
					used, _ = c.UsersOf(one.kind, types.NamespacedName{Namespace: "system", Name: one.name})
				}
				took := b.Elapsed().Seconds() * 1000 / float64(b.N)
				b.ReportMetric(float64(used.Total+used.Automatic), "users")
				if took > promised {
					b.Logf("MISSED: a decision takes %.1f ms, more than %d", took, promised)
				}
			})
		}
	}
}
