// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
)

func TestNamespaceChange(t *testing.T) {
	namespace := func(uid, project string, but ...func(*metadata)) *metadata {
		n := feed.Namespace()
		n.Name, n.UID = "a", types.UID(uid)
		if project != "" {
			n.Labels = map[string]string{v1alpha1.LabelProject: project}
		}
		for _, but := range but {
			but(n)
		}
		return n
	}
	ending := func(n *metadata) { n.DeletionTimestamp = &metav1.Time{Time: now} }
	annotated := func(n *metadata) { n.Annotations = map[string]string{"a": "b"} }
	for name, test := range map[string]struct {
		before, after *metadata
		want          bool
	}{
		"comes":                       {nil, namespace("1", "a"), true},
		"goes":                        {namespace("1", "a"), nil, true},
		"becomes a project":           {namespace("1", ""), namespace("1", "a"), true},
		"is being deleted":            {namespace("1", "a"), namespace("1", "a", ending), true},
		"is gone after that":          {namespace("1", "a", ending), nil, false},
		"something else":              {namespace("1", "a"), namespace("1", "a", annotated), false},
		"another of its name":         {namespace("1", "a"), namespace("2", "a"), true},
		"another, the first was gone": {namespace("1", "a", ending), namespace("2", "a"), true},
	} {
		t.Run(name, func(t *testing.T) {
			var change feed.Change
			if test.before != nil {
				change.Before = test.before
			}
			if test.after != nil {
				change.After = test.after
			}
			w := watches{layout: credential.DefaultLayout()}
			if _, _, got := w.namespaceChange(change); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestConcernedBy(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	cluster := fake.NewClientBuilder().WithScheme(scheme)
	for _, c := range []struct{ namespace, name, level, department string }{
		{"system", "cluster", "cluster", ""},
		{"system", "research", "department", "research"},
		{"system", "sales", "department", "sales"},
		{"home", "home", "department", "research"},
		{"home", "cluster", "department", "research"},
		{"a", "a", "project", ""},
	} {
		cluster.WithObjects(&v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: c.name},
			Spec: v1alpha1.CredentialSpec{Scope: v1alpha1.Scope{Level: v1alpha1.ScopeLevel(c.level), Department: c.department}}})
	}
	known := catalog.New(credential.DefaultLayout())
	given := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "labs", Name: "torch"}}
	given.Spec.Credentials = []v1alpha1.AssetName{"sales"}
	known.SetAsset(asset.New(given))
	w := watches{Cluster: lookup.Cluster{Cache: cluster.Build()}, users: &users.Counter{Catalog: known}}
	place := func(namespace, project, department, home string) credential.Place {
		return credential.Place{Namespace: namespace, Project: project, Department: department, Home: home}
	}
	for name, test := range map[string]struct {
		places []credential.Place
		want   []string
	}{
		"nothing to us":      {[]credential.Place{{}, place("x", "", "", "")}, nil},
		"no department":      {[]credential.Place{{}, place("x", "x", "", "")}, []string{"system/cluster"}},
		"a new project":      {[]credential.Place{{}, place("x", "x", "research", "")}, []string{"home/cluster", "home/home", "system/cluster", "system/research"}},
		"another department": {[]credential.Place{place("a", "a", "", ""), place("a", "a", "sales", "")}, []string{"a/a", "system/cluster", "system/sales"}},
		"a home":             {[]credential.Place{place("home", "", "", ""), place("home", "", "", "research")}, []string{"home/cluster", "home/home", "system/cluster"}},
		"a home with assets": {[]credential.Place{place("labs", "", "", ""), place("labs", "", "", "sales")}, []string{"system/sales"}},
		"several":            {[]credential.Place{{}, place("x", "x", "", ""), place("a", "a", "", ""), {}}, []string{"a/a", "system/cluster"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, request := range w.concernedBy(t.Context(), test.places...) {
				got = append(got, request.String())
			}
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestCollector: what comes together is flushed once, a moment after the first of
// it, and what comes later again.
func TestCollector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const delay = time.Second
		var flushed []int
		var last time.Time
		c := collector{delay: delay, flush: func(places []credential.Place) {
			flushed, last = append(flushed, len(places)), time.Now()
		}}
		for round := range 2 {
			began := time.Now()
			for range 100 {
				c.add(credential.Place{}, credential.Place{})
				<-time.After(delay / 200)
			}
			<-time.After(2 * delay)
			synctest.Wait()
			if len(flushed) != round+1 || flushed[round] != 200 || last.Sub(began) != delay {
				t.Errorf("flushed %v, %s after the first", flushed, last.Sub(began))
			}
		}
	})
}
