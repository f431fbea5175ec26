// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
)

// TestNamespacesChange tells the story of a namespace whose labels come and go.
func TestNamespacesChange(t *testing.T) {
	c := company()
	c.Set(entry(system, "shared", cluster))
	c.Set(entry(system, "crm", department("sales")))
	c.Set(entry("research-home", "lab", department("research")))
	c.Set(entry("team-a", "mine", project))
	for _, step := range []struct {
		name   string
		change func()
		want   string
	}{
		{"as it was", func() {}, "lab mine shared"},
		{"moves to sales", func() {
			c.SetNamespace("team-a", map[string]string{v1alpha1.LabelProject: "a", v1alpha1.LabelDepartment: "sales"})
		}, "crm mine shared"},
		{"leaves its department", func() { c.SetNamespace("team-a", map[string]string{v1alpha1.LabelProject: "a"}) }, "mine shared"},
		{"is no project", func() { c.SetNamespace("team-a", nil) }, ""},
		{"comes back", func() {
			c.SetNamespace("team-a", map[string]string{v1alpha1.LabelProject: "a", v1alpha1.LabelDepartment: "research"})
		}, "lab mine shared"},
		{"its department loses the home", func() { c.SetNamespace("research-home", nil) }, "mine shared"},
		{"another department has the home", func() {
			c.SetNamespace("research-home", map[string]string{v1alpha1.LabelDepartmentHome: "sales"})
		}, "mine shared"},
		{"the home is back", func() {
			c.SetNamespace("research-home", map[string]string{v1alpha1.LabelDepartmentHome: "research"})
		}, "lab mine shared"},
		{"a second home appears", func() {
			c.SetNamespace("a-home", map[string]string{v1alpha1.LabelDepartmentHome: "research"})
			c.Set(entry("a-home", "lab-3", department("research")))
		}, "lab lab-3 mine shared"},
		{"a home is deleted, and its credentials later", func() { c.RemoveNamespace("a-home") }, "lab mine shared"},
		{"a home becomes a project", func() {
			c.SetNamespace("research-home", map[string]string{v1alpha1.LabelProject: "home", v1alpha1.LabelDepartment: "research"})
		}, "mine shared"},
		{"the system namespace is deleted", func() { c.RemoveNamespace(system) }, "mine shared"},
		{"becomes a home", func() {
			c.SetNamespace("team-a", map[string]string{v1alpha1.LabelProject: "a", v1alpha1.LabelDepartmentHome: "research"})
		}, ""},
	} {
		step.change()
		if got := strings.Join(c.Visible(place(t, c, "team-a")), " "); got != step.want {
			t.Fatalf("%s: sees %q, want %q", step.name, got, step.want)
		}
	}
	c.RemoveNamespace("team-a")
	if p, known := c.Place("team-a"); known || p != (credential.Place{Namespace: "team-a"}) {
		t.Errorf("the deleted namespace is %+v, known %v", p, known)
	}
	c.RemoveNamespace("team-a") // again, as after a relist
}

func TestSetReplaces(t *testing.T) {
	c := company()
	c.Set(entry(system, "hub", department("research"), login("quay.io")))
	c.Set(entry(system, "hub", cluster, login("ghcr.io")))
	p := place(t, c, "team-d")
	found, ok := c.Lookup(p, "hub")
	if !ok || found.Scope != cluster {
		t.Errorf("finds %+v", found)
	}
	if diff := cmp.Diff([]string{system + "/hub"}, pullCandidates(c, p)); diff != "" {
		t.Errorf("pull candidates (-want +got):\n%s", diff)
	}
	c.Remove(types.NamespacedName{Namespace: "nowhere", Name: "hub"})
	c.Remove(types.NamespacedName{Namespace: system, Name: "other"})
	if _, ok := c.Lookup(p, "hub"); !ok {
		t.Error("what was not removed is gone")
	}
}

func TestChanged(t *testing.T) {
	c := company()
	c.Set(entry(system, "hub", cluster))
	for name, test := range map[string]struct {
		change func()
		want   bool
	}{
		"credential":        {func() { c.Set(entry(system, "hub", cluster)) }, true},
		"credential goes":   {func() { c.Remove(types.NamespacedName{Namespace: system, Name: "hub"}) }, true},
		"namespace":         {func() { c.SetNamespace("new", map[string]string{v1alpha1.LabelProject: "n"}) }, true},
		"namespace goes":    {func() { c.RemoveNamespace("new") }, true},
		"labels of others":  {func() { c.SetNamespace("other", map[string]string{"pod-security": "baseline"}) }, false},
		"what is not there": {func() { c.Remove(types.NamespacedName{Namespace: "nowhere", Name: "hub"}) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			before := c.Changed()
			test.change()
			select {
			case <-before:
				if !test.want {
					t.Error("tells of a change")
				}
			default:
				if test.want {
					t.Error("tells of no change")
				}
			}
			select {
			case <-c.Changed():
				t.Error("tells of a change to come")
			default:
			}
		})
	}
}

// TestChurn has 250 short-lived namespaces come and go at once, with credentials
// and homes of their own, each asking after every step (failure mode 29). Run
// with -race.
func TestChurn(t *testing.T) {
	const namespaces, rounds, departments = 250, 3, 7
	c := company()
	c.Set(entry(system, "shared", cluster, login("quay.io")))
	stays := place(t, c, "team-a")
	ask := func(namespace string) {
		asked, _ := c.Place(namespace)
		c.Lookup(asked, "mine")
		c.Visible(asked)
		c.PullCandidates(asked, func(e *catalog.Entry) { e.SecretIn(asked.Namespace) })
		c.Homes(asked)
		c.Changed()
		if found, ok := c.Lookup(stays, "shared"); !ok || found.Namespace != system {
			t.Error("what stays is lost for a moment")
		}
	}
	var churn sync.WaitGroup
	for n := range namespaces {
		churn.Go(func() {
			namespace, id := fmt.Sprintf("churn-%d", n), fmt.Sprintf("d%d", n%departments)
			neighbour := fmt.Sprintf("churn-%d", (n+departments)%namespaces)
			for range rounds {
				for _, step := range []func(){
					func() {
						c.SetNamespace(namespace, map[string]string{v1alpha1.LabelProject: namespace, v1alpha1.LabelDepartment: id})
					},
					func() { c.Set(entry(namespace, "mine", project, login("ghcr.io"))) },
					func() { c.SetNamespace(namespace, map[string]string{v1alpha1.LabelDepartmentHome: id}) },
					func() { c.Set(entry(namespace, "lab", department(id), login("quay.io"))) },
					func() { c.Remove(types.NamespacedName{Namespace: namespace, Name: "mine"}) },
					func() { c.RemoveNamespace(namespace) },
					func() { c.Remove(types.NamespacedName{Namespace: namespace, Name: "lab"}) },
				} {
					step()
					ask(neighbour)
				}
				c.Reach(cluster, system)
			}
		})
	}
	churn.Wait()
	if got := c.Reach(cluster, system); len(got) != 4 {
		t.Errorf("projects left: %v", got)
	}
	for n := range departments {
		if homes := c.Homes(credential.Place{Project: "p", Department: fmt.Sprintf("d%d", n)}); len(homes) != 1 {
			t.Errorf("homes left of department d%d: %v", n, homes)
		}
	}
}
