// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/webhook"
)

// One line for each decision, with names only.
func TestLog(t *testing.T) {
	line := func(level, message string, fields ...string) map[string]any {
		line := map[string]any{"level": level, "msg": message, "entry": "inject", "namespace": "team-a", "workload": "Pod/web-", "requestID": string(reviewUID)}
		for i := 0; i < len(fields); i += 2 {
			line[fields[i]] = fields[i+1]
		}
		return line
	}
	cases := map[string]struct {
		pod  string
		want map[string]any
	}{
		"injected":  {naming("openai", "hub"), line("INFO", "injected", "credential", "hub,openai")},
		"unchanged": {podWith(map[string]string{v1alpha1.AnnotationInject: "false"}), line("DEBUG+3", "admitted unchanged")},
		"refused":   {naming("openay"), line("INFO", "refused", "outcome", "refused", "annotation", v1alpha1.AnnotationCredentials)},
		"malformed": {`{"metadata":{"generateName":"web-"}}`, line("INFO", "refused", "outcome", "refused", "annotation", "")},
		"owned": {`{"metadata":{"generateName":"web-1-","ownerReferences":[{"kind":"ReplicaSet","name":"web-1","controller":true}]},"spec":{"containers":[{"name":"a","image":"registry.example.com/a"}]}}`,
			line("INFO", "injected", "credential", "hub", "workload", "ReplicaSet/web-1")},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.know(namespace(systemNamespace, nil), project("team-a", ""), generic("team-a", "openai", ""), registry("hub", "registry.example.com"))
			f.admit("team-a", test.pod)
			if diff := cmp.Diff([]map[string]any{test.want}, f.log.lines(t)); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}

// A canary stands wherever something secret could stand in a pod: in values of
// variables, in values of annotations, where people paste tokens by mistake, in
// arguments, and in the user of the request. It must not come out in a log or in a
// metric, whatever becomes of the pod.
func TestNothingOfThePodIsLogged(t *testing.T) {
	const canary = "c4n4ry"
	annotations := map[string]map[string]string{
		"injected":               {v1alpha1.AnnotationCredentials: "openai"},
		"no annotation of ours":  {},
		"a list":                 {v1alpha1.AnnotationCredentials: canary},
		"a bad name":             {v1alpha1.AnnotationCredentials: "openai, C4N4RY " + canary},
		"a variable's reference": {"env.credence.dev/TOKEN": canary},
		"a key":                  {"env.credence.dev/TOKEN": "openai/" + canary},
		"an option":              {"env.credence.dev/TOKEN": "openai/KEY_OF_OPENAI;" + canary + "=" + canary},
		"lines":                  {v1alpha1.AnnotationEnv: "TOKEN=" + canary},
		"a mount":                {"mount.credence.dev/keys": "openai:" + canary},
		"a container":            {v1alpha1.AnnotationContainers: canary},
		"a switch":               {v1alpha1.AnnotationInject: canary},
		"an unknown one":         {"credence.dev/credential": canary},
		"a record":               {v1alpha1.AnnotationInjected: canary, v1alpha1.AnnotationCredentials: "openai"},
	}
	for name, annotations := range annotations {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.know(namespace(systemNamespace, nil), project("team-a", ""), generic("team-a", "openai", ""))
			annotations["example.com/note"] = canary
			pod := string(marshal(map[string]any{
				"metadata": map[string]any{"name": "web", "annotations": annotations, "labels": map[string]string{"a": canary}},
				"spec": map[string]any{"containers": []any{map[string]any{
					"name": "web", "image": "registry.example.com/" + canary, "args": []string{canary},
					"env": []any{map[string]any{"name": "A", "value": canary}, map[string]any{"name": "TOKEN", "value": canary}},
				}}},
			}))
			for _, path := range []string{webhook.PathAnnotated, webhook.PathPullSecrets} {
				for _, document := range []string{pod, strings.Replace(pod, `"args":[`, `"env":{"`+canary+`":`, 1), pod[:len(pod)/2]} {
					review := review("team-a", []byte(`"POD"`))
					review.Request.UserInfo.Username = canary
					f.post(t.Context(), path, []byte(strings.Replace(string(marshal(review)), `"POD"`, document, 1)))
				}
			}
			if log := f.log.String(); strings.Contains(strings.ToLower(log), canary) {
				t.Errorf("the log has something of the pod:\n%s", log)
			}
			if counters := fmt.Sprint(f.counters()); strings.Contains(counters, canary) {
				t.Errorf("the metrics have something of the pod: %s", counters)
			}
		})
	}
}

// Labels have few values, whatever is sent.
func TestMetrics(t *testing.T) {
	f := newFixture(t)
	f.know(namespace(systemNamespace, nil), project("team-a", ""), generic("team-a", "openai", ""))
	for i := range 50 {
		for _, path := range []string{webhook.PathAnnotated, webhook.PathPullSecrets} {
			f.admitAt(path, fmt.Sprintf("team-%d", i), naming(fmt.Sprintf("c%d", i)))
			f.admitAt(path, "team-a", naming("openai"))
			f.admitAt(path, "team-a", podWith(nil))
			f.admitAt(path, "team-a", `{}`)
		}
	}
	want := map[string]float64{
		"credence_admission_live_reads_total{absent}": 50,
	}
	for _, entry := range []string{"inject", "pull-secrets"} {
		want["credence_admission_decisions_total{"+entry+",injected}"] = 50
		want["credence_admission_decisions_total{"+entry+",unchanged}"] = 50
		want["credence_admission_decisions_total{"+entry+",refused}"] = 100
	}
	if diff := cmp.Diff(want, f.counters()); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}

// A panic fails the one request, is counted and logged with the place, and says
// nothing of the pod.
func TestPanic(t *testing.T) {
	f := newFixture(t)
	f.registry = prometheus.NewRegistry()
	err := webhook.Register(f, webhook.Options{Registry: f.registry, Log: newLogger(f.log)}, func(next http.Handler) http.Handler { return next }) // without a catalog
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		answer := f.admit("team-a", podWith(map[string]string{v1alpha1.AnnotationCredentials: "openai", "a": "c4n4ry"}))
		if answer.code != http.StatusInternalServerError || answer.message() != "credence could not decide because of an error of its own, which is in its log" {
			t.Errorf("answer: %d %s", answer.code, answer.body)
		}
	}
	if diff := cmp.Diff(map[string]float64{"credence_admission_decisions_total{inject,panic}": 3}, f.counters()); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
	lines := f.log.lines(t)
	if len(lines) != 3 {
		t.Fatalf("log: %s", f.log)
	}
	stack, _ := lines[0]["stack"].(string)
	delete(lines[0], "stack")
	want := map[string]any{"level": "ERROR", "msg": "panic while deciding", "err": "panic: runtime error: invalid memory address or nil pointer dereference",
		"entry": "inject", "namespace": "team-a", "workload": "Pod/web-", "requestID": string(reviewUID)}
	if diff := cmp.Diff(want, lines[0]); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if !strings.Contains(stack, "webhook.(*pods).admit") || strings.Contains(f.log.String(), "c4n4ry") {
		t.Errorf("stack: %s", stack)
	}
}
