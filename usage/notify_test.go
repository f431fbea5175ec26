// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/usage/object"
)

func TestNotify(t *testing.T) {
	set := func(one any) func(testing.TB, *Index) {
		return func(t testing.TB, x *Index) { x.Set(readAny(t, one)) }
	}
	remove := func(one any) func(testing.TB, *Index) {
		return func(t testing.TB, x *Index) { x.Remove(readAny(t, one)) }
	}
	other := pulling("other")
	hubOnly := []Change{{Namespace: "a", Secrets: []string{hubSecret}}}
	otherOnly := []Change{{Namespace: "a", Secrets: []string{"other"}}}
	hubAndOther := []Change{{Namespace: "a", Secrets: []string{hubSecret, "other"}}}
	running := func(pod *corev1.Pod, since time.Time) *corev1.Pod {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{runs(pod.Spec.Containers[0].Name, since)}
		return pod
	}
	ofOne := func(name string) *corev1.Pod { return by("apps/v1", "ReplicaSet", "web-1", pod(name, other)) }
	reader := func(name string) *corev1.Pod {
		return by("apps/v1", "ReplicaSet", "web-1", pod(name, reading("other")))
	}
	one := by("apps/v1", "Deployment", "web", replicaSet("web-1", other))
	renewed := func() *appsv1.Deployment { d := deployment("web", corev1.PodSpec{}); d.UID = "new"; return d }

	for name, test := range map[string]struct {
		before []any
		event  func(testing.TB, *Index)
		want   []Change
	}{
		"new":                 {nil, set(naming(deployment("web", pulling(hubSecret)))), []Change{{Namespace: "a", Credentials: []string{"hub"}, Secrets: []string{hubSecret}}}},
		"gone":                {[]any{deployment("web", pulling(hubSecret))}, remove(deployment("web", corev1.PodSpec{})), hubOnly},
		"never there":         {nil, remove(deployment("web", pulling(hubSecret))), nil},
		"the same again":      {[]any{deployment("web", pulling(hubSecret))}, set(deployment("web", pulling(hubSecret))), nil},
		"another reference":   {[]any{deployment("web", pulling(hubSecret))}, set(deployment("web", other)), hubAndOther},
		"another way":         {[]any{deployment("web", pulling(hubSecret))}, set(deployment("web", mounting(hubSecret))), hubOnly},
		"finished pod":        {[]any{pod("web", pulling(hubSecret))}, set(in(corev1.PodFailed, pod("web", pulling(hubSecret)))), hubOnly},
		"finished pod gone":   {[]any{in(corev1.PodFailed, pod("web", pulling(hubSecret)))}, remove(pod("web", pulling(hubSecret))), nil},
		"finished job":        {[]any{job("web", pulling(hubSecret))}, set(job("web", pulling(hubSecret), batchv1.JobComplete)), hubOnly},
		"adopted":             {[]any{pod("web-a", other)}, set(by("apps/v1", "ReplicaSet", "web-1", pod("web-a", other))), otherOnly},
		"second of a set":     {[]any{one, ofOne("a")}, set(ofOne("b")), nil},
		"second to the last":  {[]any{one, ofOne("a"), ofOne("b")}, remove(ofOne("b")), nil},
		"last of a set":       {[]any{one, ofOne("a")}, remove(ofOne("a")), otherOnly},
		"second reader":       {[]any{one, reader("a")}, set(reader("b")), otherOnly},
		"started":             {[]any{reader("a")}, set(running(reader("a"), time.Unix(1000, 0))), otherOnly},
		"started again":       {[]any{running(reader("a"), time.Unix(1000, 0))}, set(running(reader("a"), time.Unix(2000, 0))), otherOnly},
		"owner comes late":    {[]any{ofOne("a")}, set(one), otherOnly},
		"owner's owner comes": {[]any{ofOne("a"), one}, set(deployment("web", corev1.PodSpec{})), otherOnly},
		"owner's owner goes":  {[]any{ofOne("a"), one, deployment("web", corev1.PodSpec{})}, remove(deployment("web", corev1.PodSpec{})), otherOnly},
		"owner renewed":       {[]any{ofOne("a"), one, deployment("web", corev1.PodSpec{})}, set(renewed()), otherOnly},
		"owner is owned":      {[]any{ofOne("a"), one, deployment("web", corev1.PodSpec{})}, set(by("example.com/v1", "App", "shop", deployment("web", corev1.PodSpec{}))), otherOnly},
		"owner names it":      {[]any{ofOne("a"), one, deployment("web", corev1.PodSpec{})}, set(deployment("web", other)), otherOnly},
		"owners in a circle":  {[]any{by("apps/v1", "ReplicaSet", "web-1", pod("a", other))}, set(by("apps/v1", "ReplicaSet", "web-1", replicaSet("web-1", other))), otherOnly},
		"account":             {[]any{deployment("web", corev1.PodSpec{})}, set(account("default", hubSecret)), hubOnly},
		"account changes":     {[]any{deployment("web", corev1.PodSpec{}), account("default", hubSecret)}, set(account("default", "other")), hubAndOther},
		"account loses":       {[]any{deployment("web", corev1.PodSpec{}), account("default", hubSecret)}, set(account("default")), hubOnly},
		"account gone":        {[]any{deployment("web", corev1.PodSpec{}), account("default", hubSecret)}, remove(account("default")), hubOnly},
		"uses an account":     {[]any{account("builder", hubSecret)}, set(deployment("web", corev1.PodSpec{ServiceAccountName: "builder"})), hubOnly},
		"another account":     {[]any{account("builder", hubSecret), account("default", "other"), deployment("web", corev1.PodSpec{})}, set(deployment("web", corev1.PodSpec{ServiceAccountName: "builder"})), hubAndOther},
		"of no account":       {[]any{account("default", hubSecret), deployment("web", corev1.PodSpec{})}, set(deployment("web", other)), hubAndOther},
		"nothing to tell":     {nil, set(pod("web", corev1.PodSpec{})), nil},
		"replaced": {[]any{pod("web", pulling(hubSecret)), pod("same", mounting("same"))}, func(t testing.TB, x *Index) {
			x.Replace(object.Pod.Value(), []object.Object{readAny(t, pod("same", mounting("same"))), readAny(t, pod("new", other))})
		}, hubAndOther},
	} {
		t.Run(name, func(t *testing.T) {
			x := indexOf(t, test.before...)
			var got []Change
			x.Notify(func(c Change) {
				x.Users(hub) // the index may be asked
				got = append(got, c)
			})
			test.event(t, x)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSynced(t *testing.T) {
	x := NewIndex()
	x.Set(readAny(t, pod("web", pulling(hubSecret))))
	for _, one := range object.BuiltIn {
		if x.Synced() {
			t.Errorf("synced before %s was listed", one.Kind)
		}
		x.Replace(one.GroupKind(), nil)
	}
	if !x.Synced() {
		t.Error("not synced after every kind was listed")
	}
}
