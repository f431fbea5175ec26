// SPDX-License-Identifier: Apache-2.0

package workload_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/injector/workload"
)

func TestTemplateOf(t *testing.T) {
	type want struct {
		workload.Template
		OK bool
	}
	carries := want{workload.Template{Prefix: "/spec/template", Carries: true}, true}
	for name, test := range map[string]struct {
		apiVersion, kind string
		want             want
	}{
		"pod":                    {"v1", "Pod", want{workload.Template{}, true}},
		"pod template":           {"v1", "PodTemplate", want{workload.Template{Prefix: "/template"}, true}},
		"deployment":             {"apps/v1", "Deployment", carries},
		"deployment to come":     {"apps/v2", "Deployment", carries},
		"stateful set":           {"apps/v1", "StatefulSet", carries},
		"daemon set":             {"apps/v1", "DaemonSet", carries},
		"replica set":            {"apps/v1", "ReplicaSet", carries},
		"replication controller": {"v1", "ReplicationController", carries},
		"job":                    {"batch/v1", "Job", carries},
		"cron job":               {"batch/v1", "CronJob", want{workload.Template{Prefix: "/spec/jobTemplate/spec/template", Carries: true}, true}},
		"pod of others":          {"example.com/v1", "Pod", want{}},
		"deployment of the core": {"v1", "Deployment", want{}},
		"list":                   {"v1", "PodList", want{}},
		"nothing":                {"", "", want{}},
	} {
		t.Run(name, func(t *testing.T) {
			template, ok := workload.TemplateOf(test.apiVersion, test.kind)
			if diff := cmp.Diff(test.want, want{template, ok}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDecode holds where in the object a fault is, and that there may be no
// template.
func TestDecode(t *testing.T) {
	deployment, _ := workload.TemplateOf("apps/v1", "Deployment")
	for name, test := range map[string]struct {
		template workload.Template
		object   string
		want     string // the pod, "" if there is none
		fault    *pod.Error
	}{
		"pod":               {object: `{"metadata":{"name":"a"},"spec":{}}`, want: "Pod/a"},
		"template":          {template: deployment, object: `{"spec":{"template":{"metadata":{"name":"a"},"spec":{}}}}`, want: "Pod/a"},
		"no template":       {template: deployment, object: `{"spec":{}}`},
		"no way to it":      {template: deployment, object: `{}`},
		"null":              {template: deployment, object: `{"spec":{"template": null }}`},
		"null on the way":   {template: deployment, object: `{"spec":null}`},
		"a pod that is not": {object: `null`, fault: &pod.Error{Problem: "not a pod: it has no spec"}},
		"list on the way":   {template: deployment, object: `{"spec":[]}`, fault: &pod.Error{Pointer: "/spec", Problem: "not a workload: it must be an object, not a JSON array"}},
		"no pod":            {template: deployment, object: `{"spec":{"template":{}}}`, fault: &pod.Error{Pointer: "/spec/template", Problem: "not a pod: it has no spec"}},
		"null container": {
			template: deployment, object: `{"spec":{"template":{"spec":{"containers":[null]}}}}`,
			fault: &pod.Error{Pointer: "/spec/template/spec/containers/0", Problem: "not a pod: /spec/containers/0 is null"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			decoded, err := test.template.Decode([]byte(test.object))
			fault, _ := err.(*pod.Error) //nolint:errorlint // the type itself is promised
			if diff := cmp.Diff(test.fault, fault); diff != "" {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
			if got := decoded.WorkloadName(); err == nil && got != test.want {
				t.Errorf("got pod %q, want %q", got, test.want)
			}
		})
	}
}
