// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
)

const system = "credence-credentials"

func department(id string) v1alpha1.Scope {
	return v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: id}
}

var (
	cluster = v1alpha1.Scope{Level: v1alpha1.ScopeCluster}
	project = v1alpha1.Scope{Level: v1alpha1.ScopeProject}
)

// entry makes an entry as of a Credential whose status is up to date.
func entry(namespace, name string, scope v1alpha1.Scope, change ...func(*v1alpha1.Credential)) *catalog.Entry {
	c := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1}}
	c.Spec.Type, c.Spec.Scope, c.Spec.SecretRef.Name = v1alpha1.Generic, scope, name+"-key"
	c.Status.ObservedGeneration = 1
	for _, change := range change {
		change(c)
	}
	return catalog.NewEntry(c)
}

// login makes the credential a registry login.
func login(registries ...string) func(*v1alpha1.Credential) {
	return func(c *v1alpha1.Credential) {
		c.Spec.Type, c.Status.Registries = v1alpha1.DockerRegistry, registries
	}
}

// company is a cluster with two departments, of which research has a home.
func company() *catalog.Catalog {
	c := catalog.New(credential.DefaultLayout())
	for namespace, labels := range map[string]map[string]string{
		system:          nil,
		"research-home": {v1alpha1.LabelDepartmentHome: "research"},
		"team-a":        {v1alpha1.LabelProject: "a", v1alpha1.LabelDepartment: "research"},
		"team-b":        {v1alpha1.LabelProject: "b", v1alpha1.LabelDepartment: "research"},
		"team-c":        {v1alpha1.LabelProject: "c", v1alpha1.LabelDepartment: "sales"},
		"team-d":        {v1alpha1.LabelProject: "d"},
		"other":         nil,
	} {
		c.SetNamespace(namespace, labels)
	}
	return c
}

func place(t *testing.T, c *catalog.Catalog, namespace string) credential.Place {
	t.Helper()
	p, known := c.Place(namespace)
	if !known {
		t.Fatalf("namespace %s is not known", namespace)
	}
	return p
}

// meaning tells what a name means in every namespace of the company: where the
// credential lives.
func meaning(t *testing.T, c *catalog.Catalog, name string) map[string]string {
	t.Helper()
	where := map[string]string{}
	for _, namespace := range []string{system, "research-home", "team-a", "team-b", "team-c", "team-d", "other"} {
		if found, ok := c.Lookup(place(t, c, namespace), name); ok {
			where[namespace] = found.Namespace
		} else if found != nil {
			t.Errorf("Lookup says false and returns %v", found.NamespacedName)
		}
	}
	return where
}

func TestLookup(t *testing.T) {
	for name, test := range map[string]struct {
		entries []*catalog.Entry
		want    map[string]string
	}{
		"nothing": {want: map[string]string{}},
		"cluster": {
			entries: []*catalog.Entry{entry(system, "x", cluster)},
			want:    map[string]string{"team-a": system, "team-b": system, "team-c": system, "team-d": system},
		},
		"department in the system namespace": {
			entries: []*catalog.Entry{entry(system, "x", department("sales"))},
			want:    map[string]string{"team-c": system},
		},
		"department in its home": {
			entries: []*catalog.Entry{entry("research-home", "x", department("research"))},
			want:    map[string]string{"team-a": "research-home", "team-b": "research-home"},
		},
		"project": {
			entries: []*catalog.Entry{entry("team-a", "x", project)},
			want:    map[string]string{"team-a": "team-a"},
		},
		"the narrower wins": {
			entries: []*catalog.Entry{entry(system, "x", cluster), entry("research-home", "x", department("research")), entry("team-a", "x", project)},
			want:    map[string]string{"team-a": "team-a", "team-b": "research-home", "team-c": system, "team-d": system},
		},
		"of one department, the home wins": {
			entries: []*catalog.Entry{entry(system, "x", department("research")), entry("research-home", "x", department("research"))},
			want:    map[string]string{"team-a": "research-home", "team-b": "research-home"},
		},
		"a narrower one in another project": {
			entries: []*catalog.Entry{entry(system, "x", cluster), entry("team-c", "x", project)},
			want:    map[string]string{"team-a": system, "team-b": system, "team-c": "team-c", "team-d": system},
		},
		"other name":                   {entries: []*catalog.Entry{entry(system, "y", cluster)}, want: map[string]string{}},
		"cluster in a project":         {entries: []*catalog.Entry{entry("team-a", "x", cluster)}, want: map[string]string{}},
		"cluster in a home":            {entries: []*catalog.Entry{entry("research-home", "x", cluster)}, want: map[string]string{}},
		"department in its project":    {entries: []*catalog.Entry{entry("team-a", "x", department("research"))}, want: map[string]string{}},
		"department in another's home": {entries: []*catalog.Entry{entry("research-home", "x", department("sales"))}, want: map[string]string{}},
		"project in the system":        {entries: []*catalog.Entry{entry(system, "x", project)}, want: map[string]string{}},
		"project in no project":        {entries: []*catalog.Entry{entry("other", "x", project)}, want: map[string]string{}},
		"department without id":        {entries: []*catalog.Entry{entry(system, "x", department(""))}, want: map[string]string{}},
		"one that does not cover shades nothing": {
			entries: []*catalog.Entry{entry("team-a", "x", cluster), entry("research-home", "x", project), entry(system, "x", cluster)},
			want:    map[string]string{"team-a": system, "team-b": system, "team-c": system, "team-d": system},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := company()
			for _, entry := range test.entries {
				c.Set(entry)
			}
			if diff := cmp.Diff(test.want, meaning(t, c, "x")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, entry := range test.entries {
				c.Remove(entry.NamespacedName)
			}
			if diff := cmp.Diff(map[string]string{}, meaning(t, c, "x")); diff != "" {
				t.Errorf("after all are removed (-want +got):\n%s", diff)
			}
		})
	}
}

// TestVisible holds which names each namespace is told of, in messages as well:
// never one of another department or project.
func TestVisible(t *testing.T) {
	c := company()
	for _, e := range []*catalog.Entry{
		entry(system, "shared", cluster), entry(system, "both", cluster),
		entry("research-home", "lab", department("research")), entry("research-home", "both", department("research")),
		entry(system, "crm", department("sales")), entry(system, "lab-2", department("research")),
		entry("team-a", "mine", project), entry("team-b", "theirs", project), entry("other", "lost", project), entry("team-d", "stray", cluster),
	} {
		c.Set(e)
	}
	for namespace, want := range map[string]string{
		"team-a":        "both lab lab-2 mine shared",
		"team-b":        "both lab lab-2 shared theirs",
		"team-c":        "both crm shared",
		"team-d":        "both shared",
		"other":         "",
		system:          "",
		"research-home": "",
	} {
		p := place(t, c, namespace)
		names := c.Visible(p)
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s sees %q, want %q", namespace, got, want)
		}
		for _, name := range names {
			if _, ok := c.Lookup(p, name); !ok {
				t.Errorf("%s sees %s and Lookup does not", namespace, name)
			}
		}
	}
}

func TestHomes(t *testing.T) {
	c := company()
	c.SetNamespace("a-second-home", map[string]string{v1alpha1.LabelDepartmentHome: "research"})
	for namespace, want := range map[string]string{
		"team-a": "a-second-home research-home " + system,
		"team-c": system,
		"team-d": system,
	} {
		if got := strings.Join(c.Homes(place(t, c, namespace)), " "); got != want {
			t.Errorf("homes of %s: %q, want %q", namespace, got, want)
		}
	}
}

func TestPullCandidates(t *testing.T) {
	c := company()
	for _, e := range []*catalog.Entry{
		entry(system, "hub", cluster, login("index.docker.io")),
		entry(system, "ghcr", cluster, login("ghcr.io")),
		entry(system, "apples", cluster, login()), // not observed yet: the injector decides
		entry(system, "openai", cluster),
		entry("research-home", "quay", department("research"), login("quay.io")),
		entry("research-home", "ghcr", department("research"), login("ghcr.io/research")),
		entry(system, "sales", department("sales"), login("sales.example.com")),
		entry("team-a", "hub", project, login("docker.io/team")),
		entry("team-b", "hub", project), // narrower, and no login
		entry("team-c", "stray", cluster, login("stray.example.com")),
	} {
		c.Set(e)
	}
	for namespace, want := range map[string]string{
		"team-a": "team-a/hub research-home/ghcr research-home/quay " + system + "/apples",
		"team-b": "research-home/ghcr research-home/quay " + system + "/apples",
		"team-c": system + "/apples " + system + "/ghcr " + system + "/hub " + system + "/sales",
		"team-d": system + "/apples " + system + "/ghcr " + system + "/hub",
		"other":  "",
	} {
		if got := strings.Join(pullCandidates(c, place(t, c, namespace)), " "); got != want {
			t.Errorf("candidates in %s:\n got %s\nwant %s", namespace, got, want)
		}
	}

	// One that becomes another type, or goes, is a candidate no more.
	c.Set(entry(system, "ghcr", cluster))
	c.Remove(types.NamespacedName{Namespace: system, Name: "hub"})
	if got, want := strings.Join(pullCandidates(c, place(t, c, "team-d")), " "), system+"/apples"; got != want {
		t.Errorf("candidates after a change: %s", got)
	}
}

func pullCandidates(c *catalog.Catalog, p credential.Place) []string {
	var keys []string
	c.PullCandidates(p, func(e *catalog.Entry) { keys = append(keys, e.String()) })
	return keys
}

// TestBeforeNamespacesAreSeen: the system namespace is what it is by name, and a
// project is what its caller read of the API server.
func TestBeforeNamespacesAreSeen(t *testing.T) {
	c := catalog.New(credential.DefaultLayout())
	c.Set(entry(system, "shared", cluster))
	c.Set(entry("new", "mine", project, login("quay.io")))
	c.Set(entry("new", "stray", cluster))
	read := c.Layout().Place("new", map[string]string{v1alpha1.LabelProject: "new"})

	if _, known := c.Place("new"); known {
		t.Error("a namespace is known that was never set")
	}
	if got, want := strings.Join(c.Visible(read), " "), "mine shared"; got != want {
		t.Errorf("sees %q, want %q", got, want)
	}
	for _, name := range []string{"mine", "shared"} {
		if _, ok := c.Lookup(read, name); !ok {
			t.Errorf("does not find %s", name)
		}
	}
	if got := strings.Join(pullCandidates(c, read), " "); got != "new/mine" {
		t.Errorf("pull candidates are %q", got)
	}
}
