// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestInjected(t *testing.T) {
	web := deployment("web", reading(hubSecret))
	for name, test := range map[string]struct {
		objects []any
		want    []User
	}{
		"both":             {[]any{naming(pod("p", reading(hubSecret)))}, []User{user("Pod", "p")}},
		"a pull secret":    {[]any{naming(pod("p", pulling(hubSecret)))}, []User{user("Pod", "p")}},
		"the annotation":   {[]any{naming(pod("p", corev1.PodSpec{}))}, nil},
		"the Secret":       {[]any{pod("p", reading(hubSecret))}, nil},
		"automatic":        {[]any{injected(pod("p", pulling(hubSecret)))}, nil},
		"another's Secret": {[]any{naming(pod("p", reading("other")))}, nil},
		"finished":         {[]any{in(corev1.PodSucceeded, naming(pod("p", reading(hubSecret))))}, nil},
		"a template":       {[]any{naming(web)}, nil},
		"two pods of one": {[]any{by("example.com/v1", "Request", "r", naming(pod("p", reading(hubSecret)))),
			by("example.com/v1", "Request", "r", naming(pod("q", mounting(hubSecret))))}, []User{user("Request", "r")}},
	} {
		t.Run(name, func(t *testing.T) {
			x := indexOf(t, test.objects...)
			if diff := cmp.Diff(test.want, x.Injected(hub)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			elsewhere := hub
			elsewhere.Namespaces = []string{"b"}
			if got := x.Injected(elsewhere); got != nil {
				t.Errorf("elsewhere: %v", got)
			}
		})
	}
}
