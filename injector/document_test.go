// SPDX-License-Identifier: Apache-2.0

package injector_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/injector"
)

func TestTemplateOf(t *testing.T) {
	type want struct {
		injector.Template
		OK bool
	}
	carries := want{injector.Template{Prefix: "/spec/template", Carries: true}, true}
	for name, test := range map[string]struct {
		apiVersion, kind string
		want             want
	}{
		"pod":                    {"v1", "Pod", want{injector.Template{}, true}},
		"pod template":           {"v1", "PodTemplate", want{injector.Template{Prefix: "/template"}, true}},
		"deployment":             {"apps/v1", "Deployment", carries},
		"deployment to come":     {"apps/v2", "Deployment", carries},
		"stateful set":           {"apps/v1", "StatefulSet", carries},
		"daemon set":             {"apps/v1", "DaemonSet", carries},
		"replica set":            {"apps/v1", "ReplicaSet", carries},
		"replication controller": {"v1", "ReplicationController", carries},
		"job":                    {"batch/v1", "Job", carries},
		"cron job":               {"batch/v1", "CronJob", want{injector.Template{Prefix: "/spec/jobTemplate/spec/template", Carries: true}, true}},
		"pod of others":          {"example.com/v1", "Pod", want{}},
		"deployment of the core": {"v1", "Deployment", want{}},
		"list":                   {"v1", "PodList", want{}},
		"nothing":                {"", "", want{}},
	} {
		t.Run(name, func(t *testing.T) {
			template, ok := injector.TemplateOf(test.apiVersion, test.kind)
			if diff := cmp.Diff(test.want, want{template, ok}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodePod(t *testing.T) {
	for name, test := range map[string]struct {
		document string
		want     *injector.Refusal // nil takes it
	}{
		"least":                   {document: `{"spec":{}}`},
		"null lists":              {document: `{"metadata":null,"spec":{"containers":null,"volumes":null}}`},
		"unknown fields":          {document: `{"spec":{"x":[1e999]},"status":5}`},
		"nothing":                 {document: ``, want: &injector.Refusal{Problem: "not a pod: malformed JSON at byte 0"}},
		"cut short":               {document: `{"spec":`, want: &injector.Refusal{Pointer: "/spec", Problem: "not a pod: malformed JSON at byte 8"}},
		"more behind":             {document: `{"spec":{}}{}`, want: &injector.Refusal{Problem: "not a pod: malformed JSON at byte 11"}},
		"null":                    {document: `null`, want: &injector.Refusal{Problem: "not a pod: it has no spec"}},
		"an array":                {document: `[]`, want: &injector.Refusal{Problem: "not a pod: it must be an object, not a JSON array"}},
		"no spec":                 {document: `{"Spec":{}}`, want: &injector.Refusal{Problem: "not a pod: it has no spec"}},
		"a member twice":          {document: `{"spec":{"x":{"a":1,"a":1}}}`, want: &injector.Refusal{Pointer: "/spec/x/a", Problem: "not a pod: /spec/x/a stands twice"}},
		"metadata twice":          {document: `{"metadata":{},"metadata":{},"spec":{}}`, want: &injector.Refusal{Pointer: "/metadata", Problem: "not a pod: /metadata stands twice"}},
		"annotations twice":       {document: `{"metadata":{"annotations":{"a":"","a":""}},"spec":{}}`, want: &injector.Refusal{Pointer: "/metadata/annotations/a", Problem: "not a pod: /metadata/annotations/a stands twice"}},
		"not UTF-8":               {document: "{\"x\":\"\xff\",\"spec\":{}}", want: &injector.Refusal{Pointer: "/x", Problem: "not a pod: malformed JSON at byte 6"}},
		"containers an object":    {document: `{"spec":{"containers":{}}}`, want: &injector.Refusal{Pointer: "/spec/containers", Problem: "not a pod: /spec/containers must be a list, not a JSON object"}},
		"container null":          {document: `{"spec":{"containers":[{},null]}}`, want: &injector.Refusal{Pointer: "/spec/containers/1", Problem: "not a pod: /spec/containers/1 is null"}},
		"name a number":           {document: `{"spec":{"initContainers":[{"name":5}]}}`, want: &injector.Refusal{Pointer: "/spec/initContainers/0/name", Problem: "not a pod: /spec/initContainers/0/name must be a string, not a JSON number"}},
		"user a string":           {document: `{"spec":{"securityContext":{"runAsUser":"0"}}}`, want: &injector.Refusal{Pointer: "/spec/securityContext/runAsUser", Problem: "not a pod: /spec/securityContext/runAsUser must be an integer, not a JSON string"}},
		"user a fraction":         {document: `{"spec":{"securityContext":{"runAsUser":0.5}}}`, want: &injector.Refusal{Pointer: "/spec/securityContext/runAsUser", Problem: "not a pod: /spec/securityContext/runAsUser must be an integer in range"}},
		"mode out of range":       {document: `{"spec":{"volumes":[{"secret":{"defaultMode":4294967296}}]}}`, want: &injector.Refusal{Pointer: "/spec/volumes/0/secret/defaultMode", Problem: "not a pod: /spec/volumes/0/secret/defaultMode must be an integer in range"}},
		"non-root a string":       {document: `{"spec":{"securityContext":{"runAsNonRoot":"true"}}}`, want: &injector.Refusal{Pointer: "/spec/securityContext/runAsNonRoot", Problem: "not a pod: /spec/securityContext/runAsNonRoot must be true or false, not a JSON string"}},
		"annotation a boolean":    {document: `{"metadata":{"annotations":{"a.b/c":true}},"spec":{}}`, want: &injector.Refusal{Annotation: "a.b/c", Pointer: "/metadata/annotations/a.b~1c", Problem: "the value must be a string, not a JSON boolean; put it in quotes"}},
		"annotations not a map":   {document: `{"metadata":{"annotations":"x"},"spec":{}}`, want: &injector.Refusal{Pointer: "/metadata/annotations", Problem: "not a pod: /metadata/annotations must be an object, not a JSON string"}},
		"control characters":      {document: `{"spec":{"\u0001":{"a\n":1,"a\n":1}}}`, want: &injector.Refusal{Pointer: "/spec/\x01/a\n", Problem: "not a pod: /spec/ /a  stands twice"}},
		"values are not repeated": {document: `{"spec":{"containers":"not-a-secret"}}`, want: &injector.Refusal{Pointer: "/spec/containers", Problem: "not a pod: /spec/containers must be a list, not a JSON string"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := injector.DecodePod([]byte(test.document))
			refusal, _ := err.(*injector.Refusal) //nolint:errorlint // the type itself is promised
			if diff := cmp.Diff(test.want, refusal); diff != "" {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestWorkloadName(t *testing.T) {
	for name, test := range map[string]struct {
		document, want string
	}{
		"name":       {document: `{"metadata":{"name":"web","generateName":"x-"},"spec":{}}`, want: "Pod/web"},
		"generated":  {document: `{"metadata":{"generateName":"web-"},"spec":{}}`, want: "Pod/web-"},
		"neither":    {document: `{"spec":{}}`, want: "Pod/"},
		"controlled": {document: `{"metadata":{"name":"web-1","ownerReferences":[{"kind":"App","name":"a"},{"kind":"Job","name":"web","controller":true}]},"spec":{}}`, want: "Job/web"},
	} {
		t.Run(name, func(t *testing.T) {
			pod, err := injector.DecodePod([]byte(test.document))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, pod.WorkloadName()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if name := (*injector.Pod)(nil).WorkloadName(); name != "" {
		t.Errorf("no pod is %q", name)
	}
}

// TestUntouchedBytes holds that what no operation touches stays to the letter:
// numbers, escapes and fields that nobody knows.
func TestUntouchedBytes(t *testing.T) {
	known, _ := catalogOf(t, "testdata/assets.yaml", credential.DefaultLayout())
	parts := []string{
		`"futureField":{"b":[1.0,1e2,-0,0.10,12345678901234567890123,1E400],"a":null}`,
		`"text":"\u003c\u2028\ud83d\ude00\/<>&"`,
		`{"name":"V","value":"","future":{"z":1,"a":2}}`,
		`"resources":{"limits":{"cpu":0.50,"memory":1e+09}}`,
		`{"name":"v","emptyDir":{},"future":1}`,
		`{"name":"own","future":true}`,
		`"status":{"x":1.50}`,
		`"labels":{"b":"1","a":"\u0032"}`,
	}
	document := []byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"annotations":{"credence.dev/credentials":"tokens, git, hub, bucket"},` + parts[7] + `},` + parts[6] +
		`,"spec":{` + parts[0] + `,` + parts[1] + `,"containers":[{"name":"main","env":[` + parts[2] + `],` + parts[3] + `}],"volumes":[` + parts[4] + `],"imagePullSecrets":[` + parts[5] + `]}}`)
	result, err := injector.InjectDocument(known, injector.Document{JSON: document, Namespace: "team-a"})
	if err != nil {
		t.Fatal(err)
	}
	patched, err := injector.Apply(document, result.Operations)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		if !bytes.Contains(patched, []byte(part)) {
			t.Errorf("%s is not as it was in\n%s", part, patched)
		}
	}
}
