// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// stage is an API server for one Replacer. What it is asked to do is on record.
type stage struct {
	*testing.T
	judge *Judge
	pods  map[string]*corev1.Pod
	// admits says that admission injects.
	admits                      bool
	errorOfTry, errorOfEviction error
	rehearsed, evicted          []string
	onEviction                  func(*policyv1.Eviction)
	// onTry, if there is one, says instead whether admission injects into a pod.
	onTry func(*corev1.Pod) bool
}

func newStage(t *testing.T, pods ...*corev1.Pod) *stage {
	s := &stage{T: t, judge: shared(t), pods: map[string]*corev1.Pod{}, admits: true}
	for _, pod := range pods {
		s.pods[pod.Name] = pod
	}
	return s
}

func (s *stage) replacer(clock *clocktesting.FakePassiveClock) *Replacer {
	c := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		List: func(_ context.Context, _ client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			of := (&client.ListOptions{}).ApplyOptions(options)
			name, _ := of.FieldSelector.RequiresExactMatch("metadata.name")
			if pod := s.pods[name]; pod != nil && pod.Namespace == of.Namespace {
				list.(*corev1.PodList).Items = []corev1.Pod{*pod}
			}
			return nil
		},
		Create: func(_ context.Context, _ client.WithWatch, object client.Object, options ...client.CreateOption) error {
			if of := (&client.CreateOptions{}).ApplyOptions(options); len(of.DryRun) != 1 || of.DryRun[0] != metav1.DryRunAll {
				s.Error("a pod is created that is no dry run")
			}
			pod := object.(*corev1.Pod)
			s.rehearsed = append(s.rehearsed, pod.GenerateName)
			if s.errorOfTry != nil {
				return s.errorOfTry
			}
			if s.onTry == nil && s.admits || s.onTry != nil && s.onTry(pod) {
				s.inject(pod)
			}
			return nil
		},
		SubResourceCreate: func(_ context.Context, _ client.Client, name string, object, body client.Object, _ ...client.SubResourceCreateOption) error {
			if name != "eviction" {
				s.Errorf("subresource %s", name)
			}
			eviction := body.(*policyv1.Eviction)
			if eviction.DeleteOptions.Preconditions == nil || *eviction.DeleteOptions.Preconditions.UID != object.GetUID() {
				s.Error("another pod of the name could be evicted")
			}
			if s.onEviction != nil {
				s.onEviction(eviction)
			}
			if s.errorOfEviction == nil {
				s.evicted = append(s.evicted, object.GetName())
			}
			return s.errorOfEviction
		},
		Delete: func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error {
			s.Error("a pod is deleted")
			return nil
		},
	}).Build()
	return &Replacer{Judge: *s.judge, Live: c, Client: c, Clock: clock, Patience: 5 * time.Minute}
}

// inject does to a pod what admission would.
func (s *stage) inject(pod *corev1.Pod) {
	place, _ := s.judge.Catalog.Place(pod.Namespace)
	subject := must(newSubject(pod, place))(s.T)
	result, refusal, err := s.judge.inject(subject.decoded, pod.Namespace)
	if err != nil || refusal != "" {
		s.Fatal(err, refusal)
	}
	injected := must(patched(subject.document, result.Operations))(s.T)
	injected.DeepCopyInto(pod)
}

// report examines the pods that there are.
func (s *stage) report() Report {
	var pods []*corev1.Pod
	for _, pod := range s.pods {
		pods = append(pods, pod)
	}
	top := func(pod *corev1.Pod) Workload {
		if owner := metav1.GetControllerOf(pod); owner != nil {
			return Workload{owner.APIVersion, owner.Kind, pod.Namespace, owner.Name, owner.UID}
		}
		return itself(pod)
	}
	return must(Examine(Input{Judge: *s.judge, Pods: each(pods...), Top: top}))(s.T)
}

// replace has the replacer do what it can, and returns what became of each pod.
func (s *stage) replace(r *Replacer) map[string]Outcome {
	s.Helper()
	report := s.report()
	if err := r.Replace(s.Context(), &report); err != nil {
		s.Fatal(err)
	}
	outcomes := map[string]Outcome{}
	for _, f := range report.Findings {
		outcomes[f.Pod] = f.Repair
	}
	return outcomes
}

// of gives a pod a name and a controller.
func of(kind, owner, name string, pod *corev1.Pod) *corev1.Pod {
	pod.Name, pod.UID, pod.ResourceVersion = name, types.UID("uid-"+name), "7"
	pod.GenerateName = owner + "-"
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: owner, UID: types.UID("uid-" + owner), Controller: new(true)}}
	return pod
}

const (
	runs  = "\nstatus: {phase: Running}"
	once  = "spec: {restartPolicy: Never, containers: [{name: main, image: images.example.net/app}]}"
	again = "spec: {restartPolicy: OnFailure, containers: [{name: main, image: images.example.net/app}]}"
	waits = "spec: {containers: [{name: main, image: registry.example.com/app}]}\nstatus: {phase: Pending}"
)

func TestReplace(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		set  func(*stage)
		want Outcome
	}{
		"not injected":               {of("ReplicaSet", "web", "p", podOf(t, asksForOpenAI+runs)), nil, Evicted},
		"without a pull secret":      {of("ReplicaSet", "web", "p", podOf(t, waits)), nil, Evicted},
		"of a third-party kind":      {of("Rollout", "web", "p", podOf(t, asksForOpenAI+runs)), nil, Evicted},
		"nothing controls it":        {podOf(t, asksForOpenAI+runs), nil, Uncontrolled},
		"of a Job":                   {of("Job", "once", "p", podOf(t, asksForOpenAI+once+runs)), nil, RunsToEnd},
		"of a Job that tries again":  {of("Job", "once", "p", podOf(t, asksForOpenAI+again+runs)), nil, RunsToEnd},
		"of what is like a Job":      {of("Workflow", "steps", "p", podOf(t, asksForOpenAI+once+runs)), nil, RunsToEnd},
		"one that would be refused":  {of("ReplicaSet", "web", "p", podOf(t, "metadata: {annotations: {credence.dev/credentials: opnai}}"+runs)), nil, Refused},
		"admission is still away":    {of("ReplicaSet", "web", "p", podOf(t, asksForOpenAI+runs)), func(s *stage) { s.admits = false }, WouldLack},
		"admission does not add it":  {of("ReplicaSet", "web", "p", podOf(t, waits)), func(s *stage) { s.admits = false }, WouldLack},
		"a new one is refused":       {of("ReplicaSet", "web", "p", podOf(t, asksForOpenAI+runs)), func(s *stage) { s.errorOfTry = apierrors.NewForbidden(pods, "", errors.New("no")) }, Refused},
		"a budget does not allow it": {of("ReplicaSet", "web", "p", podOf(t, asksForOpenAI+runs)), func(s *stage) { s.errorOfEviction = apierrors.NewTooManyRequests("no", 10) }, Blocked},
		"the eviction is refused":    {of("ReplicaSet", "web", "p", podOf(t, asksForOpenAI+runs)), func(s *stage) { s.errorOfEviction = apierrors.NewForbidden(pods, "p", errors.New("no")) }, Failed},
		"it goes meanwhile":          {of("ReplicaSet", "web", "p", podOf(t, asksForOpenAI+runs)), func(s *stage) { s.errorOfEviction = apierrors.NewNotFound(pods, "p") }, Gone},
		"it starts meanwhile":        {of("ReplicaSet", "web", "p", podOf(t, waits)), func(s *stage) { s.errorOfEviction = apierrors.NewConflict(pods, "p", errors.New("no")) }, Gone},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, test.pod)
			if test.set != nil {
				test.set(s)
			}
			s.onEviction = func(e *policyv1.Eviction) {
				version := e.DeleteOptions.Preconditions.ResourceVersion
				if waiting := !hasRun(test.pod); waiting != (version != nil) {
					t.Errorf("the pod waits: %t; the version it must have: %v", waiting, version)
				}
			}
			if got := s.replace(s.replacer(clocktesting.NewFakePassiveClock(time.Now())))["p"]; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if (len(s.evicted) > 0) != (test.want == Evicted) {
				t.Errorf("evicted: %v", s.evicted)
			}
		})
	}
}

// TestReplaceOnce: of one workload a pod is evicted every five minutes, and none soon
// after the start.
func TestReplaceOnce(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(time.Now())
	asking := func() *corev1.Pod { return podOf(t, asksForOpenAI+runs) }
	s := newStage(t, of("ReplicaSet", "web", "web-1", asking()), of("ReplicaSet", "web", "web-2", asking()), of("ReplicaSet", "api", "api-1", asking()))
	r := s.replacer(clock)
	r.Began(clock.Now())
	step := func(after time.Duration, want ...string) {
		t.Helper()
		clock.SetTime(clock.Now().Add(after))
		s.evicted = nil
		s.replace(r)
		for _, name := range s.evicted {
			delete(s.pods, name)
		}
		if diff := cmp.Diff(want, s.evicted); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", after, diff)
		}
	}
	step(time.Minute)
	step(4*time.Minute, "api-1", "web-1")
	step(4 * time.Minute)
	step(time.Minute, "web-2")
	step(time.Hour)
}

// TestReplaceLooksAgain: what was found may be otherwise when its turn comes.
func TestReplaceLooksAgain(t *testing.T) {
	for name, change := range map[string]func(*stage){
		"gone":       func(s *stage) { delete(s.pods, "p") },
		"another":    func(s *stage) { s.pods["p"].UID = "other" },
		"in order":   func(s *stage) { s.inject(s.pods["p"]) },
		"terminates": func(s *stage) { s.pods["p"].DeletionTimestamp = &metav1.Time{Time: time.Now()} },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, of("ReplicaSet", "web", "p", podOf(t, asksForOpenAI+runs)))
			report := s.report()
			change(s)
			if err := s.replacer(clocktesting.NewFakePassiveClock(time.Now())).Replace(t.Context(), &report); err != nil {
				t.Fatal(err)
			}
			if report.Findings[0].Repair != Gone || len(s.rehearsed)+len(s.evicted) > 0 {
				t.Errorf("%q, tried %v, evicted %v", report.Findings[0].Repair, s.rehearsed, s.evicted)
			}
		})
	}
}

// TestRehearsal: what is made for show is what a controller would make.
func TestRehearsal(t *testing.T) {
	pod := of("ReplicaSet", "web", "web-x", podOf(t, `
metadata:
  annotations: {credence.dev/credentials: openai, credence.dev/injected: "{}", credence.dev/warnings: "[]"}
  labels: {app: web}
  finalizers: [example.com/f]
spec:
  nodeName: node-1
  priority: 7
  preemptionPolicy: Never
  priorityClassName: high
  serviceAccountName: runner
  containers: [{name: main, image: images.example.net/app}]
  ephemeralContainers: [{name: debug, image: images.example.net/debug}]
status: {phase: Running}`))
	pod.OwnerReferences[0].BlockOwnerDeletion = new(true)
	got, err := json.Marshal(rehearsal(pod))
	if err != nil {
		t.Fatal(err)
	}
	want := podOf(t, `
metadata:
  name: ""
  uid: ""
  generateName: web-
  annotations: {credence.dev/credentials: openai}
  labels: {app: web}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: uid-web, controller: true}]
spec:
  priorityClassName: high
  serviceAccountName: runner
  containers: [{name: main, image: images.example.net/app}]`)
	wanted, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(wanted), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if pod.Spec.NodeName == "" || len(pod.Annotations) != 3 || pod.OwnerReferences[0].BlockOwnerDeletion == nil {
		t.Error("the pod itself is changed")
	}
}
