// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/usage/object"
)

const openaiSecret = "genericsecret-openai"

func TestReaders(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	running := func(pod *corev1.Pod, statuses ...corev1.ContainerStatus) *corev1.Pod {
		pod.Status.ContainerStatuses = statuses
		return pod
	}
	bare := func(name string, started time.Time) []Reader {
		return []Reader{{Pod: types.NamespacedName{Namespace: "a", Name: name}, StartedAt: started}}
	}
	rolled := func(name, kind, workload string) []Reader {
		return []Reader{{
			Pod:      types.NamespacedName{Namespace: "a", Name: name},
			Workload: Workload{"apps/v1", kind, types.NamespacedName{Namespace: "a", Name: workload}, types.UID("uid-" + workload)},
		}}
	}
	both := reading(openaiSecret, hubSecret)
	sidecar := corev1.PodSpec{InitContainers: []corev1.Container{variable("sidecar", openaiSecret)}, Containers: reading(openaiSecret).Containers}
	debugged := corev1.PodSpec{EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon(variable("debug", openaiSecret))}}}
	many := corev1.PodSpec{}
	var statuses []corev1.ContainerStatus
	for i := range object.MaxReaders + 10 {
		many.Containers = append(many.Containers, variable(fmt.Sprint("c", i), openaiSecret))
		statuses = append(statuses, runs(fmt.Sprint("c", i), noon.Add(-time.Duration(i)*time.Second)))
	}

	for name, test := range map[string]struct {
		objects []any
		want    []Reader
	}{
		"envFrom":          {[]any{pod("web", reading(openaiSecret))}, bare("web", time.Time{})},
		"variable":         {[]any{pod("web", corev1.PodSpec{Containers: []corev1.Container{variable("main", openaiSecret)}})}, bare("web", time.Time{})},
		"mount":            {[]any{pod("web", mounting(openaiSecret))}, nil},
		"pull secret":      {[]any{pod("web", pulling(openaiSecret))}, nil},
		"annotation alone": {[]any{annotated(pod("web", corev1.PodSpec{}), "env.credence.dev/X", "openai/key")}, nil},
		"template":         {[]any{deployment("web", reading(openaiSecret)), podTemplate("t", reading(openaiSecret))}, nil},
		"finished":         {[]any{in(corev1.PodSucceeded, pod("web", reading(openaiSecret)))}, nil},
		"running":          {[]any{running(pod("web", reading(openaiSecret)), runs(openaiSecret, noon))}, bare("web", noon)},
		"another runs":     {[]any{running(pod("web", reading(openaiSecret)), runs("another", noon))}, bare("web", time.Time{})},
		"another is older": {[]any{running(pod("web", both), runs(hubSecret, noon.Add(-time.Hour)), runs(openaiSecret, noon))}, bare("web", noon)},
		"another reads":    {[]any{running(pod("web", both), runs(hubSecret, noon))}, bare("web", time.Time{})},
		"terminated":       {[]any{running(pod("web", reading(openaiSecret)), corev1.ContainerStatus{Name: openaiSecret, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}})}, bare("web", time.Time{})},
		"the oldest": {[]any{func() any {
			p := running(pod("web", sidecar), runs(openaiSecret, noon))
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{runs("sidecar", noon.Add(-time.Minute))}
			return p
		}()}, bare("web", noon.Add(-time.Minute))},
		"init has ended": {[]any{running(pod("web", sidecar), runs(openaiSecret, noon))}, bare("web", noon)},
		"ephemeral": {[]any{func() any {
			p := pod("web", debugged)
			p.Status.EphemeralContainerStatuses = []corev1.ContainerStatus{runs("debug", noon)}
			return p
		}()}, bare("web", noon)},
		"many containers":   {[]any{running(pod("web", many), statuses...)}, bare("web", noon.Add(-time.Duration(object.MaxReaders+9)*time.Second))},
		"of a stateful set": {[]any{by("apps/v1", "StatefulSet", "db", pod("db-0", reading(openaiSecret)))}, rolled("db-0", "StatefulSet", "db")},
		"of a daemon set":   {[]any{by("apps/v1", "DaemonSet", "log", pod("log-a", reading(openaiSecret)))}, rolled("log-a", "DaemonSet", "log")},
		"of a deployment":   {[]any{by("apps/v1", "Deployment", "web", replicaSet("web-1", reading(openaiSecret))), by("apps/v1", "ReplicaSet", "web-1", pod("web-1-a", reading(openaiSecret)))}, rolled("web-1-a", "Deployment", "web")},
		"of a custom's":     {[]any{by("example.com/v1", "App", "shop", deployment("web", corev1.PodSpec{})), by("apps/v1", "Deployment", "web", pod("web-a", reading(openaiSecret)))}, rolled("web-a", "Deployment", "web")},
		"of a replica set":  {[]any{replicaSet("web", reading(openaiSecret)), by("apps/v1", "ReplicaSet", "web", pod("web-a", reading(openaiSecret)))}, bare("web-a", time.Time{})},
		"of a job":          {[]any{job("night", reading(openaiSecret)), by("batch/v1", "Job", "night", pod("night-a", reading(openaiSecret)))}, bare("night-a", time.Time{})},
		"of others' kinds":  {[]any{by("example.com/v1", "StatefulSet", "db", pod("db-0", reading(openaiSecret)))}, bare("db-0", time.Time{})},
		"in a circle":       {[]any{by("apps/v1", "ReplicaSet", "web", replicaSet("web", reading(openaiSecret))), by("apps/v1", "ReplicaSet", "web", pod("web-a", reading(openaiSecret)))}, bare("web-a", time.Time{})},
		"sorted":            {[]any{pod("b", reading(openaiSecret)), pod("c", both), pod("a", reading(openaiSecret))}, append(append(bare("a", time.Time{}), bare("b", time.Time{})...), bare("c", time.Time{})...)},
	} {
		t.Run(name, func(t *testing.T) {
			inOrder(t, test.objects, func(t *testing.T, x *Index) {
				if diff := cmp.Diff(test.want, x.Readers(Query{Name: "openai", Secret: openaiSecret, Namespaces: []string{"b", "a", "a"}})); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}
