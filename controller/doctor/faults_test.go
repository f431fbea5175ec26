// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/golden"
)

// shared judges with the assets that the golden cases share.
func shared(t *testing.T) *Judge {
	t.Helper()
	return goldenJudge(t, &golden.Case{Assets: "../../injector/testdata/assets.yaml"})
}

// podOf reads a pod in team-a, which may leave out what every pod has.
func podOf(t *testing.T, text string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "p", UID: "uid-p"}}
	if err := yaml.Unmarshal([]byte(text), pod); err != nil {
		t.Fatal(err)
	}
	if pod.Spec.Containers == nil {
		pod.Spec.Containers = []corev1.Container{{Name: "main", Image: "images.example.net/app"}}
	}
	return pod
}

const asksForOpenAI = "metadata: {annotations: {credence.dev/credentials: openai}}\n"

func TestFaults(t *testing.T) {
	for name, test := range map[string]struct {
		pod  string
		want []fault
	}{
		"nothing of a credential": {asksForOpenAI, []fault{{kind: NotInjected, lacks: []string{`credential "openai"`}}}},
		"whatever a record says": {
			`metadata: {annotations: {credence.dev/credentials: openai, credence.dev/injected: '{"openai":["env OPENAI_API_KEY","mount /etc/openai"]}'}}`,
			[]fault{{kind: NotInjected, lacks: []string{`credential "openai"`}}},
		},
		"one of two": {`
metadata: {annotations: {credence.dev/credentials: "openai, warehouse"}}
spec: {containers: [{name: main, image: images.example.net/app, env: [{name: WAREHOUSE_PASSWORD, valueFrom: {secretKeyRef: {name: password-warehouse, key: password}}}]}]}`,
			[]fault{{kind: NotInjected, lacks: []string{`credential "openai"`}}},
		},
		"its Secret in another way than now": {asksForOpenAI +
			`spec: {containers: [{name: main, image: images.example.net/app, env: [{name: OLD, valueFrom: {secretKeyRef: {name: genericsecret-openai, key: api-key}}}]}]}`, nil},
		"a copy of another type, by which the name went": {asksForOpenAI +
			`spec: {containers: [{name: main, image: images.example.net/app, envFrom: [{secretRef: {name: accesskey-openai}}]}]}`, nil},
		"and one that is in the way now": {"metadata: {annotations: {mount.credence.dev/a: 'openai:/a'}}\n" +
			`spec: {volumes: [{name: v, secret: {secretName: password-openai}}], containers: [{name: main, image: images.example.net/app, volumeMounts: [{name: v, mountPath: /a}]}]}`, nil},
		"the pod's own variable instead": {`
metadata: {annotations: {env.credence.dev/TOKEN: openai/api-key}}
spec: {containers: [{name: main, image: images.example.net/app, env: [{name: TOKEN, value: own}]}]}`, nil},
		"a name that means nothing": {"metadata: {annotations: {credence.dev/credentials: opnai}}",
			[]fault{{NotInjected, []string{`credential "opnai"`}, `annotation credence.dev/credentials: there is no credential "opnai" in namespace team-a; did you mean "openai"?`}}},
		"a name that means nothing any more": {"metadata: {annotations: {credence.dev/credentials: gone}}\n" +
			`spec: {containers: [{name: main, image: images.example.net/app, envFrom: [{secretRef: {name: whatever-gone}}]}]}`, nil},
		"a named registry login": {"metadata: {annotations: {credence.dev/credentials: quay}}", []fault{{kind: NotInjected, lacks: []string{`credential "quay"`}}}},

		"nothing of an environment": {"metadata: {annotations: {credence.dev/environment: plain}}", []fault{{kind: NotInjected, lacks: []string{`environment "plain"`}}}},
		"nothing but variables of its own": {`
metadata: {annotations: {credence.dev/environment: plain}}
spec: {containers: [{name: main, image: images.example.net/app, env: [{name: OTHER, value: own}]}]}`,
			[]fault{{kind: NotInjected, lacks: []string{`environment "plain"`}}}},
		"an environment that has changed a variable and gained another": {`
metadata: {annotations: {credence.dev/environment: plain}}
spec: {containers: [{name: main, image: images.example.net/app, env: [{name: LOG_LEVEL, value: before}]}]}`, nil},
		"all its variables its own": {`
metadata: {annotations: {credence.dev/environment: plain}}
spec: {containers: [{name: main, image: images.example.net/app, env: [{name: LOG_LEVEL, value: own}, {name: GREETING, value: own}]}]}`, nil},
		"an environment that has gained a variable": {`
metadata: {annotations: {credence.dev/environment: plain}}
spec: {containers: [{name: main, image: images.example.net/app, env: [{name: LOG_LEVEL, value: info}]}]}`, nil},
		"an environment that has gained its credentials": {`
metadata: {annotations: {credence.dev/environment: pytorch}}
spec: {containers: [{name: main, image: images.example.net/app, env: [{name: LOG_LEVEL, value: debug}]}]}`, nil},
		"an environment of which it has a Secret": {`
metadata: {annotations: {credence.dev/environment: pytorch}}
spec: {containers: [{name: main, image: images.example.net/app, env: [{name: K, valueFrom: {secretKeyRef: {name: genericsecret-openai, key: api-key}}}]}]}`, nil},
		"the placeholder": {`
metadata: {annotations: {credence.dev/environment: slim}}
spec: {containers: [{name: main, image: credence.invalid/environment}]}`, []fault{{kind: NotInjected, lacks: []string{`environment "slim"`}}}},
		"the placeholder, and an environment that is gone": {`
metadata: {annotations: {credence.dev/environment: gone}}
spec: {containers: [{name: main, image: credence.invalid/environment}]}`, []fault{{NotInjected, []string{`environment "gone"`},
			`annotation credence.dev/environment: there is no environment "gone" in namespace team-a`}}},
		"an environment that is gone": {"metadata: {annotations: {credence.dev/environment: gone}}", nil},
		"a data source that nothing fetches": {"metadata: {annotations: {credence.dev/data-sources: 'docs, weights'}}",
			[]fault{{kind: NotInjected, lacks: []string{`data source "docs"`, `data source "weights"`}}}},
		"a fetched data source that has changed": {`
metadata: {annotations: {credence.dev/data-sources: docs}}
spec: {initContainers: [{name: credence-fetch-docs, image: images.example.net/git, args: [--repo=https://git.example.com/old.git]}]}`, nil},
		"nothing of a template": {"metadata: {annotations: {credence.dev/template: notebook}}", []fault{{kind: NotInjected, lacks: []string{`template "notebook"`}}}},
		"a part of a template": {`
metadata: {annotations: {credence.dev/template: notebook}}
spec: {containers: [{name: main, image: images.example.net/app, env: [{name: TEAM, value: a}]}]}`, nil},

		"switched off":         {"metadata: {annotations: {credence.dev/credentials: openai, credence.dev/inject: 'false'}}", nil},
		"a mirror pod":         {"metadata: {annotations: {credence.dev/credentials: openai, kubernetes.io/config.mirror: x}}", nil},
		"finished":             {asksForOpenAI + "status: {phase: Succeeded}", nil},
		"going":                {"metadata: {deletionTimestamp: '2026-01-01T00:00:00Z', annotations: {credence.dev/credentials: openai}}", nil},
		"outside projects":     {"metadata: {namespace: outside, annotations: {credence.dev/credentials: openai}}", nil},
		"in an unknown place":  {"metadata: {namespace: nowhere, annotations: {credence.dev/credentials: openai}}", nil},
		"asking for nothing":   {"metadata: {annotations: {example.com/a: b}}", nil},
		"only our own remarks": {"metadata: {annotations: {credence.dev/injected: '{}'}}", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := must(shared(t).faults(podOf(t, test.pod)))(t)
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(fault{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPullSecretMissing(t *testing.T) {
	const image = "spec: {containers: [{name: main, image: quay.io/team/app}]%s}\nstatus: %s"
	missing := []fault{{kind: PullSecretMissing, lacks: []string{`registry login "quay"`, `registry login "quay-team"`}}}
	for name, test := range map[string]struct {
		more, status string
		want         []fault
	}{
		"waiting":               {"", "{phase: Pending}", missing},
		"waiting for images":    {"", "{phase: Pending, containerStatuses: [{name: main, state: {waiting: {reason: ImagePullBackOff}}}]}", missing},
		"one of two":            {", imagePullSecrets: [{name: dockerregistry-quay}]", "{phase: Pending}", []fault{{kind: PullSecretMissing, lacks: missing[0].lacks[1:]}}},
		"both":                  {", imagePullSecrets: [{name: dockerregistry-quay}, {name: dockerregistry-quay-team}]", "{phase: Pending}", nil},
		"running":               {"", "{phase: Running}", nil},
		"an init container ran": {"", "{phase: Pending, initContainerStatuses: [{name: i, state: {terminated: {exitCode: 0}}}]}", nil},
		"one that ran before":   {"", "{phase: Pending, containerStatuses: [{name: main, lastState: {terminated: {exitCode: 1}}}]}", nil},
	} {
		t.Run(name, func(t *testing.T) {
			pod := podOf(t, strings.Replace(strings.Replace(image, "%s", test.more, 1), "%s", test.status, 1))
			if diff := cmp.Diff(test.want, must(shared(t).faults(pod))(t), cmp.AllowUnexported(fault{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			pod.Annotations = map[string]string{v1alpha1.AnnotationInject: "false"}
			if got := must(shared(t).faults(pod))(t); got != nil {
				t.Errorf("switched off: %+v", got)
			}
		})
	}
}

// TestExamine: a pod is found once, however often it comes, and with the graver of two
// faults.
func TestExamine(t *testing.T) {
	asking := podOf(t, asksForOpenAI+"spec: {containers: [{name: main, image: registry.example.com/app}]}\nstatus: {phase: Pending}")
	waiting := podOf(t, "metadata: {name: a, uid: uid-a}\nspec: {containers: [{name: main, image: registry.example.com/app}]}\nstatus: {phase: Pending}")
	sound := podOf(t, "metadata: {name: s, uid: uid-s}")
	var inOrder []string
	web := Workload{"apps/v1", "Deployment", "team-a", "web", "uid-web"}
	report := must(Examine(Input{
		Judge: *shared(t), Pods: each(asking, sound, waiting, asking), Top: itself, Uncarried: []Workload{web},
		Sound: func(pod *corev1.Pod) { inOrder = append(inOrder, pod.Name) },
	}))(t)
	want := []Finding{
		{Kind: NotCarried, Workload: web, Message: "the annotations of Deployment web were not carried to its pod template, so its pods do not have what they ask for"},
		{Kind: PullSecretMissing, Workload: itself(waiting), Pod: "a", PodUID: "uid-a", Lacks: []string{`registry login "hub"`},
			Message: `pod a has not run yet and lacks the pull secret of registry login "hub", which serves one of its images`, spared: Uncontrolled},
		{Kind: NotInjected, Workload: itself(asking), Pod: "p", PodUID: "uid-p", Lacks: []string{`credential "openai"`},
			Message: `pod p was not injected: it has nothing of credential "openai", which its annotations name`, spared: Uncontrolled},
	}
	if diff := cmp.Diff(want, report.Findings, cmp.AllowUnexported(Finding{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"s"}, inOrder); diff != "" {
		t.Errorf("in order (-want +got):\n%s", diff)
	}
}

// TestExamineOddPods: a pod over which the program fails hides no other, and does not
// end the process.
func TestExamineOddPods(t *testing.T) {
	fails := Input{Pods: each(podOf(t, asksForOpenAI), podOf(t, "metadata: {name: q, uid: uid-q}")), Top: itself}
	if _, err := Examine(fails); err == nil { // it has no catalog
		t.Error("what is not judged counts as sound")
	}
	var odd []string
	fails.Odd = func(pod *corev1.Pod, err error) { odd = append(odd, pod.Name+": "+err.Error()) }
	const problem = "the program failed over it; please report that"
	report := must(Examine(fails))(t)
	if diff := cmp.Diff([]string{"p: judging pod team-a/p: " + problem, "q: judging pod team-a/q: " + problem}, odd); diff != "" || len(report.Findings) != 0 {
		t.Errorf("%d findings, odd (-want +got):\n%s", len(report.Findings), diff)
	}
}

func each(pods ...*corev1.Pod) func(func(*corev1.Pod, error) bool) {
	return func(yield func(*corev1.Pod, error) bool) {
		for _, pod := range pods {
			if !yield(pod, nil) {
				return
			}
		}
	}
}
