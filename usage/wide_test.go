// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/usage/object"
)

// wideObjects refer to more than is gone through one by one: by their annotations,
// to Secrets and through a service account, with an owner that nothing refers to,
// with one that is among what they refer to, and without any.
func wideObjects() []metav1.Object {
	spec := wide(3 * few)
	spec.ServiceAccountName = "robot"
	named := deployment("web", spec)
	names := ""
	for i := range 2 * few {
		names += fmt.Sprintf("c%d,", i)
	}
	annotated(named, "credence.dev/credentials", names)
	started := pod("web-1", wide(3*few))
	return []metav1.Object{
		account("robot", "dockerregistry-hub", "s1", "x"),
		named,
		by("apps/v1", "Deployment", "web", started),
		by("v1", "Secret", "s7", pod("odd", wide(3*few))),
		podTemplate("wide", wide(4*few)),
		podTemplate("wider", wide(5*few)),
	}
}

func TestWideObjects(t *testing.T) {
	objects := wideObjects()
	x := NewIndex()
	for _, one := range objects {
		x.Set(readAny(t, one))
	}
	for _, g := range x.groups {
		for i := range g.links {
			if got := g.linkTo(g.links[i].to); got != &g.links[i] {
				t.Errorf("the link of a %s to %s is not found", g.Kind.Value(), g.links[i].to.Name)
			}
		}
		for _, m := range x.names {
			if got := g.linkTo(m); got != nil && got.to != m {
				t.Errorf("the link of a %s to %s leads to %s", g.Kind.Value(), m.Name, got.to.Name)
			}
		}
	}
	web, odd := user("Deployment", "web"), user("Secret", "s7")
	for secret, want := range map[string]Users{
		"s1":                 {Workloads: []User{web, odd}, Templates: []User{user("PodTemplate", "wide"), user("PodTemplate", "wider")}},
		"s70":                {Templates: []User{user("PodTemplate", "wider")}},
		"dockerregistry-hub": {Workloads: []User{web}},
		"s80":                {},
	} {
		if diff := cmp.Diff(want, x.Users(Query{Name: "none", Secret: secret, Namespaces: []string{"a"}})); diff != "" {
			t.Errorf("users of %s (-want +got):\n%s", secret, diff)
		}
	}
	for i, one := range objects {
		x.Remove(readAny(t, one))
		scratch := NewIndex()
		for _, left := range objects[i+1:] {
			scratch.Set(readAny(t, left))
		}
		checkBooks(t, x, scratch)
	}
}

// A pod tells MaxReaders containers apart; the rest share the last place.
func TestManyReaders(t *testing.T) {
	one := pod("wide", corev1.PodSpec{})
	for i := range 3 * object.MaxReaders {
		name := fmt.Sprintf("c%03d", i)
		container := reading(fmt.Sprintf("s%03d", i)).Containers[0]
		container.Name = name
		one.Spec.Containers = append(one.Spec.Containers, container)
		one.Status.ContainerStatuses = append(one.Status.ContainerStatuses, runs(name, metav1.Unix(int64(1000-i), 0).Time))
	}
	x := indexOf(t, one)
	for secret, want := range map[string]int64{"s000": 1000, "s062": 938, "s063": 1000 - 3*object.MaxReaders + 1, "s100": 1000 - 3*object.MaxReaders + 1} {
		readers := x.Readers(Query{Secret: secret, Namespaces: []string{"a"}})
		if len(readers) != 1 || readers[0].StartedAt.Unix() != want {
			t.Errorf("readers of %s are %v, want one since %d", secret, readers, want)
		}
	}
}
