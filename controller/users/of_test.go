// SPDX-License-Identifier: Apache-2.0

package users

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/usage"
)

// expect checks who uses something, "<Kind> <namespace>/<name>".
func (c *cluster) expect(of string, want v1alpha1.UsedBy) {
	c.Helper()
	kind, key, _ := strings.Cut(of, " ")
	want.Total = want.Workloads + want.Templates + want.Environments + want.DataSources
	for _, ask := range []func(asset.Kind, types.NamespacedName) (v1alpha1.UsedBy, bool){c.UsersOf, c.CountUsers} {
		got, known := ask(asset.Kind(kind), split(key))
		if diff := cmp.Diff(want, got); diff != "" || !known {
			c.Errorf("users of %s, known: %t (-want +got):\n%s", of, known, diff)
		}
	}
}

func TestUsersOf(t *testing.T) {
	c := newCluster(t)
	c.credential("system/key")
	c.assets(environment("system/torch", "key"), dataSource("system/files", "key"),
		template("system/gpu", "torch", []v1alpha1.AssetName{"files"}, "key"), environment("system/bare"))
	c.set(
		deployment("a/direct", "credentials", "key"),
		deployment("a/env", "environment", "torch", "credentials", "key"),
		deployment("b/tpl", "template", "gpu"),
		deployment("b/bare", "environment", "bare"),
		deployment("plain/none", "template", "gpu"),
		podTemplate("a/kit", "data-sources", "other, files"),
	)
	c.expect("Credential system/key", v1alpha1.UsedBy{Workloads: 3, Templates: 2, Environments: 1, DataSources: 1, Names: []string{
		"Deployment a/direct", "Deployment a/env", "Deployment b/tpl",
		"PodTemplate a/kit", "WorkloadTemplate system/gpu", "Environment system/torch", "DataSource system/files"}})
	c.expect("Environment system/torch", v1alpha1.UsedBy{Workloads: 2, Templates: 1, Names: []string{
		"Deployment a/env", "Deployment b/tpl", "WorkloadTemplate system/gpu"}})
	c.expect("DataSource system/files", v1alpha1.UsedBy{Workloads: 1, Templates: 2, Names: []string{
		"Deployment b/tpl", "PodTemplate a/kit", "WorkloadTemplate system/gpu"}})
	c.expect("WorkloadTemplate system/gpu", v1alpha1.UsedBy{Workloads: 1, Names: []string{"Deployment b/tpl"}})
	c.expect("Environment system/bare", v1alpha1.UsedBy{Workloads: 1, Names: []string{"Deployment b/bare"}})

	// A narrower one takes what its name means there, and what is inside of one means
	// what it means to that one: b's own key is not what torch gives in b.
	c.credential("b/key")
	c.expect("Credential b/key", v1alpha1.UsedBy{})
	c.assets(environment("home/torch", "key"), environment("a/torch", "key"))
	c.expect("Environment system/torch", v1alpha1.UsedBy{Workloads: 1, Templates: 1, Names: []string{"Deployment b/tpl", "WorkloadTemplate system/gpu"}})
	c.expect("Environment a/torch", v1alpha1.UsedBy{Workloads: 1, Names: []string{"Deployment a/env"}})
	c.set(deployment("b/env", "environment", "torch"))
	c.expect("Environment home/torch", v1alpha1.UsedBy{Workloads: 1, Names: []string{"Deployment b/env"}})
	c.expect("Credential system/key", v1alpha1.UsedBy{Workloads: 4, Templates: 2, Environments: 3, DataSources: 1, Names: []string{
		"Deployment a/direct", "Deployment a/env", "Deployment b/env", "Deployment b/tpl",
		"PodTemplate a/kit", "WorkloadTemplate system/gpu", "Environment a/torch", "Environment home/torch", "Environment system/torch", "DataSource system/files"}})
	c.assets(environment("b/torch", "key"))
	c.expect("Credential b/key", v1alpha1.UsedBy{Workloads: 1, Environments: 1, Names: []string{"Deployment b/env", "Environment b/torch"}})

	// An asset in a place that does not fit its scope gives nothing.
	c.assets(environment("plain/lost", "key"))
	c.expect("Environment plain/lost", v1alpha1.UsedBy{})
}

func TestUsersOfUnknown(t *testing.T) {
	c := newCluster(t)
	c.credential("system/key")
	for _, id := range []catalog.Object{{Kind: asset.Credential, NamespacedName: split("system/none")}, {Kind: asset.Environment, NamespacedName: split("system/key")}} {
		if _, known := c.UsersOf(id.Kind, id.NamespacedName); known {
			t.Errorf("the users of %s are known", id)
		}
	}
	c.Index = usage.NewIndex()
	if _, known := c.UsersOf(asset.Credential, split("system/key")); known {
		t.Error("known before the index is complete")
	}
}

// TestNamesOfMany: what is no workload has some room among the names.
func TestNamesOfMany(t *testing.T) {
	c := newCluster(t)
	c.credential("system/key")
	for i := range 30 {
		c.set(deployment(fmt.Sprintf("a/w%02d", i), "environment", fmt.Sprintf("e%d", i%7)))
	}
	for i := range 7 {
		c.assets(environment(fmt.Sprintf("system/e%d", i), "key"))
	}
	got, _ := c.UsersOf(asset.Credential, split("system/key"))
	if got.Total != 37 || len(got.Names) != v1alpha1.MaxStatusUsers || got.Names[14] != "Deployment a/w14" || got.Names[15] != "Environment system/e0" {
		t.Errorf("%+v", got)
	}
}

// TestUsersOfVeryMany: who waits for the answer is told no more than that there are
// very many.
func TestUsersOfVeryMany(t *testing.T) {
	c := newCluster(t)
	c.credential("system/key")
	for i := range usage.MaxCounted + 200 {
		c.set(deployment(fmt.Sprintf("a/w%d", i), "credentials", fmt.Sprintf("key,c%d", i)))
	}
	for want, ask := range map[int32]func(asset.Kind, types.NamespacedName) (v1alpha1.UsedBy, bool){usage.MaxCounted: c.UsersOf, usage.MaxCounted + 200: c.CountUsers} {
		used, known := ask(asset.Credential, split("system/key"))
		if !known || used.Workloads != want || used.Total != want || len(used.Names) != v1alpha1.MaxStatusUsers {
			t.Errorf("%+v, want %d", used, want)
		}
		if words := usage.Numbers(&used); strings.Contains(words, "or more") != (want == usage.MaxCounted) {
			t.Errorf("%d are %s", want, words)
		}
	}
}
