// SPDX-License-Identifier: Apache-2.0

package workload_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/injector/workload"
)

func TestKindOf(t *testing.T) {
	for name, test := range map[string]struct {
		apiVersion, kind string
		want             []string // paths; nil: not a kind that has pods
	}{
		"pod":                    {"v1", "Pod", []string{}},
		"pod template":           {"v1", "PodTemplate", []string{".template"}},
		"deployment":             {"apps/v1", "Deployment", []string{".spec.template"}},
		"deployment to come":     {"apps/v2", "Deployment", []string{".spec.template"}},
		"stateful set":           {"apps/v1", "StatefulSet", []string{".spec.template"}},
		"daemon set":             {"apps/v1", "DaemonSet", []string{".spec.template"}},
		"replica set":            {"apps/v1", "ReplicaSet", []string{".spec.template"}},
		"replication controller": {"v1", "ReplicationController", []string{".spec.template"}},
		"job":                    {"batch/v1", "Job", []string{".spec.template"}},
		"cron job":               {"batch/v1", "CronJob", []string{".spec.jobTemplate.spec.template"}},
		"training job":           {"kubeflow.org/v1", "PyTorchJob", []string{".spec.pytorchReplicaSpecs.*.template"}},
		"MPI job of version 2":   {"kubeflow.org/v2beta1", "MPIJob", []string{".spec.mpiReplicaSpecs.*.template"}},
		"Ray cluster":            {"ray.io/v1", "RayCluster", []string{".spec.headGroupSpec.template", ".spec.workerGroupSpecs[*].template"}},
		"Knative service":        {"serving.knative.dev/v1", "Service", []string{".spec.template"}},
		"service of the core":    {"v1", "Service", nil},
		"pod of others":          {"example.com/v1", "Pod", nil},
		"deployment of the core": {"v1", "Deployment", nil},
		"list":                   {"v1", "PodList", nil},
		"nothing":                {"", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			kind, ok := workload.KindOf(test.apiVersion, test.kind)
			var got []string
			if ok {
				got = []string{}
			}
			for _, path := range kind.Paths {
				got = append(got, path.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestKindsAreWhole: the table says of each kind what its users need.
func TestKindsAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range slices.Concat(workload.BuiltIn(), workload.ThirdParty()) {
		if seen[kind.String()] || len(kind.Versions) == 0 || kind.Resource == "" || kind.Resource != strings.ToLower(kind.Resource) {
			t.Errorf("%s stands twice or lacks something: %+v", kind.String(), kind)
		}
		seen[kind.String()] = true
	}
	for _, kind := range workload.ThirdParty() {
		if kind.Group == "" || len(kind.Paths) == 0 || !kind.Carries {
			t.Errorf("%s lacks something: %+v", kind.String(), kind)
		}
	}
}

// TestDecode holds where in the object a fault is, and that there may be no
// template.
func TestDecode(t *testing.T) {
	deployment := workload.Template{Prefix: "/spec/template", Carries: true}
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
