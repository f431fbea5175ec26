// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
)

func TestAsking(t *testing.T) {
	x := indexOf(t,
		naming(pod("names", corev1.PodSpec{})),
		naming(pod("names-and-refers", reading(hubSecret))),
		annotated(pod("assets", reading("other")), v1alpha1.AnnotationEnvironment, "e", v1alpha1.AnnotationDataSources, "d", v1alpha1.AnnotationTemplate, "t"),
		injected(pod("automatic", pulling(hubSecret))),
		pod("refers", reading(hubSecret)),
		in(corev1.PodSucceeded, naming(pod("finished", corev1.PodSpec{}))),
		naming(deployment("web", corev1.PodSpec{})),
		by("apps/v1", "ReplicaSet", "web-1", naming(pod("web-1-a", corev1.PodSpec{}))),
		by("apps/v1", "ReplicaSet", "web-1", naming(pod("web-1-b", corev1.PodSpec{}))),
	)
	asked := 0
	all := x.Asking(func(pods *Asking) bool {
		asked++
		want := Asking{Namespace: "a", Credentials: []string{"hub"}}
		if len(pods.Assets) > 0 {
			want = Asking{Namespace: "a", Assets: []Asset{{"Environment", "e"}, {"DataSource", "d"}, {"WorkloadTemplate", "t"}}}
		}
		if diff := cmp.Diff(want, Asking{Namespace: pods.Namespace, Credentials: pods.Credentials, Assets: pods.Assets}, cmp.AllowUnexported(Asking{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		return !pods.Refers(hubSecret)
	})
	var names []string
	for _, one := range all {
		names = append(names, one.Name)
		if one.Namespace != "a" || one.UID != types.UID("uid-"+one.Name) {
			t.Errorf("%+v", one)
		}
	}
	if diff := cmp.Diff([]string{"assets", "names", "web-1-a", "web-1-b"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if asked != 4 {
		t.Errorf("asked %d times, want once for pods that are alike", asked)
	}
	var without []string
	for _, one := range x.Asking(func(pods *Asking) bool { return !pods.RefersToAny() }) {
		without = append(without, one.Name)
	}
	if diff := cmp.Diff([]string{"names", "web-1-a", "web-1-b"}, without); diff != "" {
		t.Errorf("without any Secret (-want +got):\n%s", diff)
	}
}

// TestTop: controllers are followed as far as they are known.
func TestTop(t *testing.T) {
	x := indexOf(t,
		by("apps/v1", "Deployment", "web", replicaSet("web-1", corev1.PodSpec{})),
		by("example.com/v1", "Request", "r", replicaSet("r-1", corev1.PodSpec{})),
		deployment("web", corev1.PodSpec{}),
	)
	for name, want := range map[string]Workload{
		"web-1": {"apps/v1", "Deployment", types.NamespacedName{Namespace: "a", Name: "web"}, "uid-web"},
		"r-1":   {"example.com/v1", "Request", types.NamespacedName{Namespace: "a", Name: "r"}, "uid-r"},
		"gone":  {"apps/v1", "ReplicaSet", types.NamespacedName{Namespace: "a", Name: "gone"}, "uid-gone"},
	} {
		got := x.Top("a", metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: name, UID: types.UID("uid-" + name)})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
