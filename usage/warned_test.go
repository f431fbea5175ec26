// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
)

func TestWarned(t *testing.T) {
	warned := func(name, warnings string) *corev1.Pod {
		return annotated(pod(name, corev1.PodSpec{}), v1alpha1.AnnotationWarnings, warnings)
	}
	web := func(pod *corev1.Pod) *corev1.Pod { return by("apps/v1", "ReplicaSet", "web-1", pod) }
	x := indexOf(t,
		by("apps/v1", "Deployment", "web", replicaSet("web-1", corev1.PodSpec{})),
		web(warned("web-1-a", `["one", "two"]`)),
		web(warned("web-1-b", `["one", "two"]`)),
		web(warned("web-1-c", `["three"]`)),
		web(warned("not-json", `one`)),
		web(warned("none", `[]`)),
		web(pod("nothing", corev1.PodSpec{})),
		web(in(corev1.PodSucceeded, warned("finished", `["over"]`))),
		warned("bare", `["said to its author"]`),
		by("apps/v1", "StatefulSet", "db", warned("db-0", `["1", "2", "3", "4", "5", "6 is too many"]`)),
		by("apps/v1", "DaemonSet", "agent", warned("agent-x", `["`+strings.Repeat("long ", 100)+`", "two\nlines"]`)),
	)
	var got []string
	for _, one := range x.Warned() {
		if one.Namespace != "a" || one.UID != types.UID("uid-"+one.Name) || one.APIVersion != "apps/v1" {
			t.Errorf("%+v", one)
		}
		got = append(got, one.Kind+" "+one.Name+": "+strings.ReplaceAll(one.Warnings, "\n", "|"))
	}
	long := strings.TrimSpace(strings.Repeat("long ", 40))
	want := []string{
		"DaemonSet agent: " + long[:197] + "…|two lines",
		"Deployment web: one|two",
		"Deployment web: three",
		"StatefulSet db: 1|2|3|4|5",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	x.Remove(readAny(t, web(warned("web-1-c", `["three"]`))))
	if got := len(x.Warned()); got != 3 {
		t.Errorf("%d are left, want 3", got)
	}
}
