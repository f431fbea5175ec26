// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
)

// referringEnvironment gives credentials, in the system namespace for the cluster,
// elsewhere for the project.
func referringEnvironment(namespace, name string, credentials ...v1alpha1.AssetName) *asset.Asset {
	e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	e.Spec.Scope.Level = v1alpha1.ScopeProject
	if namespace == "credence-credentials" {
		e.Spec.Scope.Level = v1alpha1.ScopeCluster
	}
	e.Spec.Credentials = credentials
	return asset.New(e)
}

func TestReferring(t *testing.T) {
	const system = "credence-credentials"
	c := catalog.New(credential.DefaultLayout())
	c.SetNamespace("a", map[string]string{v1alpha1.LabelProject: "a"})
	for namespace, level := range map[string]v1alpha1.ScopeLevel{system: v1alpha1.ScopeCluster, "a": v1alpha1.ScopeProject} {
		c.Set(catalog.NewEntry(&v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "key"},
			Spec: v1alpha1.CredentialSpec{Type: v1alpha1.Generic, Scope: v1alpha1.Scope{Level: level}}}))
	}
	wide, narrow := types.NamespacedName{Namespace: system, Name: "key"}, types.NamespacedName{Namespace: "a", Name: "key"}
	c.SetAsset(referringEnvironment(system, "wide", "key", "other"))
	c.SetAsset(referringEnvironment("a", "narrow", "key"))
	c.SetAsset(referringEnvironment("nowhere", "lost", "key"))
	names := func(assets []*asset.Asset) string {
		var all []string
		for _, a := range assets {
			all = append(all, catalog.IDOf(a).String())
		}
		return strings.Join(all, ", ")
	}
	expect := func(to types.NamespacedName, want string) {
		t.Helper()
		if got := names(c.ReferringTo(catalog.Object{Kind: asset.Credential, NamespacedName: to})); got != want {
			t.Errorf("to %s refer %q, want %q", to, got, want)
		}
	}
	expect(wide, "Environment "+system+"/wide")
	expect(narrow, "Environment a/narrow")
	if got, want := names(c.Naming(asset.Credential, "key")), "Environment a/narrow, Environment "+system+"/wide, Environment nowhere/lost"; got != want {
		t.Errorf("key is named by %q, want %q", got, want)
	}
	if got := names(c.AssetsIn("a")); got != "Environment a/narrow" {
		t.Errorf("in a there is %q", got)
	}

	c.Remove(narrow)
	expect(wide, "Environment a/narrow, Environment "+system+"/wide")
	c.SetAsset(referringEnvironment(system, "wide", "other"))
	expect(wide, "Environment a/narrow")
	c.RemoveAsset(asset.Environment, types.NamespacedName{Namespace: "a", Name: "narrow"})
	c.RemoveAsset(asset.Environment, types.NamespacedName{Namespace: "a", Name: "never"})
	expect(wide, "")
	if got := names(c.AssetsNamed(asset.Environment, "wide")) + names(c.AssetsNamed(asset.Environment, "narrow")); got != "Environment "+system+"/wide" {
		t.Errorf("left is %q", got)
	}
	if _, ok := c.Asset(catalog.Object{Kind: asset.DataSource, NamespacedName: types.NamespacedName{Namespace: system, Name: "wide"}}); ok {
		t.Error("an environment is a data source")
	}
}
