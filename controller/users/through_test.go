// SPDX-License-Identifier: Apache-2.0

package users

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/usage"
)

// namesNobody is an index that is not to list users, of which there may be many.
type namesNobody struct {
	*usage.Index
	t     *testing.T
	asked int
}

func (n *namesNobody) UsedIn(queries ...usage.Query) []string {
	n.asked++
	return n.Index.UsedIn(queries...)
}

func (n *namesNobody) Users(...usage.Query) usage.Users {
	n.t.Error("users are listed")
	return usage.Users{}
}

// TestNamespacesOf: where a credential is used, by whatever way, is one question to the
// index, and no list of users.
func TestNamespacesOf(t *testing.T) {
	c := newCluster(t)
	c.Catalog.SetNamespace("c", map[string]string{v1alpha1.LabelProject: "c"})
	c.Catalog.SetNamespace("d", map[string]string{v1alpha1.LabelProject: "d"})
	c.credential("system/key")
	c.credential("b/key")
	c.assets(environment("system/torch", "key"), environment("home/torch"))
	index := &namesNobody{Index: c.index, t: t}
	c.Index = index
	key := &v1alpha1.Credential{ObjectMeta: metaOf("system/key"), Spec: v1alpha1.CredentialSpec{Type: v1alpha1.Generic, Scope: scopes["system"]},
		Status: v1alpha1.CredentialStatus{TakenNamespaces: []string{"c"}}}
	direct := &corev1.Pod{ObjectMeta: metaOf("c/direct"), Spec: corev1.PodSpec{
		ImagePullSecrets: []corev1.LocalObjectReference{{Name: "genericsecret-key"}}}}
	for _, step := range []struct {
		name string
		add  any
		want []string
	}{
		{"nobody", deployment("a/none"), nil},
		{"by a template", podTemplate("a/kit", "credentials", "key"), []string{"a"}},
		{"by an asset that means another there", deployment("b/web", "environment", "torch"), []string{"a"}},
		{"where the name means another", deployment("b/named", "credentials", "key"), []string{"a"}},
		{"outside of projects", deployment("plain/web", "credentials", "key"), []string{"a"}},
		{"where another Secret has the name", direct, []string{"a", "c"}},
		{"by an asset", deployment("d/through", "environment", "torch"), []string{"a", "c", "d"}},
	} {
		c.set(step.add)
		index.asked = 0
		if diff := cmp.Diff(step.want, c.NamespacesOf(key)); diff != "" || index.asked != 1 {
			t.Errorf("%s: asked %d times (-want +got):\n%s", step.name, index.asked, diff)
		}
	}
}
