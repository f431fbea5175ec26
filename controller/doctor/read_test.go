// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/usage"
	"github.com/credence-dev/credence/usage/object"
)

// cluster are pods, as an index and as an API server have them.
type cluster struct {
	*testing.T
	judge *Judge
	index *usage.Index
	pods  map[string]*corev1.Pod
	// read are the lists that were asked for, by what they select.
	read []string
}

func newCluster(t *testing.T) *cluster {
	return &cluster{T: t, judge: shared(t), index: usage.NewIndex(), pods: map[string]*corev1.Pod{}}
}

func (c *cluster) set(pod *corev1.Pod) {
	c.pods[pod.Name] = pod
	read, _ := object.Read(pod)
	c.index.Set(read)
}

// injected is a pod after admission.
func (c *cluster) injected(pod *corev1.Pod) *corev1.Pod {
	s := stage{T: c.T, judge: c.judge}
	s.inject(pod)
	return pod
}

func (c *cluster) suspects() *suspects {
	reader := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		List: func(_ context.Context, _ client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			of := (&client.ListOptions{}).ApplyOptions(options)
			c.read = append(c.read, of.Namespace+" "+of.FieldSelector.String())
			name, exact := of.FieldSelector.RequiresExactMatch("metadata.name")
			for _, pod := range c.pods {
				if pod.Namespace == of.Namespace && (!exact || pod.Name == name) {
					list.(*corev1.PodList).Items = append(list.(*corev1.PodList).Items, *pod)
				}
			}
			return nil
		},
	}).Build()
	return &suspects{index: c.index, catalog: c.judge.Catalog, live: reader}
}

// examine looks at the suspects, and returns whose pods were found, and which lists
// were asked for.
func (c *cluster) examine(s *suspects) (found, read []string) {
	c.Helper()
	c.read = nil
	report := must(Examine(Input{Judge: *c.judge, Pods: s.pods(c.Context()), Top: itself, Sound: s.inOrder}))(c.T)
	for _, f := range report.Findings {
		found = append(found, f.Pod)
	}
	slices.Sort(c.read)
	return found, c.read
}

func called(name string, pod *corev1.Pod) *corev1.Pod {
	pod.Name, pod.UID = name, types.UID("uid-"+name)
	return pod
}

// TestSuspects: of pods that are in order, none is read, and one of which only reading
// can tell, once.
func TestSuspects(t *testing.T) {
	c := newCluster(t)
	c.set(called("injected", c.injected(podOf(t, asksForOpenAI))))
	c.set(called("template", c.injected(podOf(t, "metadata: {annotations: {credence.dev/template: notebook}}"))))
	c.set(called("plain", c.injected(podOf(t, "metadata: {annotations: {credence.dev/environment: plain}}"))))
	c.set(called("asks-nothing", podOf(t, "{}")))
	c.set(called("outside", podOf(t, "metadata: {namespace: outside, annotations: {credence.dev/credentials: openai}}")))
	c.set(called("lacking", podOf(t, asksForOpenAI)))
	c.set(called("lacking-all", podOf(t, "metadata: {annotations: {credence.dev/environment: plain}}")))
	s := c.suspects()
	expect := func(what string, found, read []string) {
		t.Helper()
		gotFound, gotRead := c.examine(s)
		if diff := cmp.Diff(found, gotFound); diff != "" {
			t.Errorf("%s: found (-want +got):\n%s", what, diff)
		}
		for i := range read {
			read[i] = "team-a metadata.name=" + read[i]
		}
		if diff := cmp.Diff(read, gotRead); diff != "" {
			t.Errorf("%s: read (-want +got):\n%s", what, diff)
		}
	}
	expect("at first", []string{"lacking", "lacking-all"}, []string{"lacking", "lacking-all", "plain"})
	expect("again", []string{"lacking", "lacking-all"}, []string{"lacking", "lacking-all"})

	c.pods["plain"].Annotations[v1alpha1.AnnotationDataSources] = "docs"
	c.set(c.pods["plain"])
	expect("with another annotation", []string{"lacking", "lacking-all", "plain"}, []string{"lacking", "lacking-all", "plain"})

	c.index.Remove(must(read(c.pods["lacking"]))(t))
	delete(c.pods, "lacking")
	expect("without one", []string{"lacking-all", "plain"}, []string{"lacking-all", "plain"})
}

func read(pod *corev1.Pod) (object.Object, error) {
	o, ok := object.Read(pod)
	if !ok {
		return o, fmt.Errorf("%s is no pod", pod.Name)
	}
	return o, nil
}

// TestManySuspects: many pods of a namespace are read together.
func TestManySuspects(t *testing.T) {
	c := newCluster(t)
	for i := range fewPods + 1 {
		c.set(called(fmt.Sprintf("p-%02d", i), podOf(t, asksForOpenAI)))
	}
	c.set(called("injected", c.injected(podOf(t, asksForOpenAI))))
	found, read := c.examine(c.suspects())
	if len(found) != fewPods+1 || slices.Contains(found, "injected") {
		t.Errorf("found %v", found)
	}
	if diff := cmp.Diff([]string{"team-a status.phase!=Succeeded,status.phase!=Failed"}, read); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

// TestTop: what controls a pod is followed as far as it is known.
func TestTop(t *testing.T) {
	c := newCluster(t)
	deployment := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "uid-web", Controller: new(true)}
	set := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-1", UID: "uid-web-1", Controller: new(true)}
	replicas := replicaSet("team-a", "web-1")
	replicas.OwnerReferences = []metav1.OwnerReference{deployment}
	if o, ok := object.Read(replicas); ok {
		c.index.Set(o)
	}
	d := doctor{suspects: *c.suspects()}
	for name, test := range map[string]struct {
		owner *metav1.OwnerReference
		want  Workload
	}{
		"nobody":      {nil, Workload{"v1", "Pod", "team-a", "p", "uid-p"}},
		"a workload":  {&set, Workload{"apps/v1", "Deployment", "team-a", "web", "uid-web"}},
		"one unknown": {&metav1.OwnerReference{APIVersion: "example.com/v1", Kind: "Request", Name: "r", UID: "uid-r", Controller: new(true)}, Workload{"example.com/v1", "Request", "team-a", "r", "uid-r"}},
	} {
		t.Run(name, func(t *testing.T) {
			pod := podOf(t, asksForOpenAI)
			if test.owner != nil {
				pod.OwnerReferences = []metav1.OwnerReference{*test.owner}
			}
			if diff := cmp.Diff(test.want, d.top(pod)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
