// SPDX-License-Identifier: Apache-2.0

package pod_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/injector/pod"
)

func TestDecode(t *testing.T) {
	for name, test := range map[string]struct {
		document string
		want     *pod.Error // nil takes it
	}{
		"least":                   {document: `{"spec":{}}`},
		"null lists":              {document: `{"metadata":null,"spec":{"containers":null,"volumes":null}}`},
		"unknown fields":          {document: `{"spec":{"x":[1e999]},"status":5}`},
		"nothing":                 {document: ``, want: &pod.Error{Problem: "not a pod: malformed JSON at byte 0"}},
		"cut short":               {document: `{"spec":`, want: &pod.Error{Pointer: "/spec", Problem: "not a pod: malformed JSON at byte 8"}},
		"more behind":             {document: `{"spec":{}}{}`, want: &pod.Error{Problem: "not a pod: malformed JSON at byte 11"}},
		"null":                    {document: `null`, want: &pod.Error{Problem: "not a pod: it has no spec"}},
		"an array":                {document: `[]`, want: &pod.Error{Problem: "not a pod: it must be an object, not a JSON array"}},
		"no spec":                 {document: `{"Spec":{}}`, want: &pod.Error{Problem: "not a pod: it has no spec"}},
		"a member twice":          {document: `{"spec":{"x":{"a":1,"a":1}}}`, want: &pod.Error{Pointer: "/spec/x/a", Problem: "not a pod: /spec/x/a stands twice"}},
		"metadata twice":          {document: `{"metadata":{},"metadata":{},"spec":{}}`, want: &pod.Error{Pointer: "/metadata", Problem: "not a pod: /metadata stands twice"}},
		"annotations twice":       {document: `{"metadata":{"annotations":{"a":"","a":""}},"spec":{}}`, want: &pod.Error{Pointer: "/metadata/annotations/a", Problem: "not a pod: /metadata/annotations/a stands twice"}},
		"not UTF-8":               {document: "{\"x\":\"\xff\",\"spec\":{}}", want: &pod.Error{Pointer: "/x", Problem: "not a pod: malformed JSON at byte 6"}},
		"containers an object":    {document: `{"spec":{"containers":{}}}`, want: &pod.Error{Pointer: "/spec/containers", Problem: "not a pod: /spec/containers must be a list, not a JSON object"}},
		"container null":          {document: `{"spec":{"containers":[{},null]}}`, want: &pod.Error{Pointer: "/spec/containers/1", Problem: "not a pod: /spec/containers/1 is null"}},
		"a thousand containers":   {document: `{"spec":{"containers":[` + strings.Repeat(`{},`, 999) + `{}]}}`},
		"more containers":         {document: `{"spec":{"initContainers":[` + strings.Repeat(`{},`, 1000) + `{}]}}`, want: &pod.Error{Pointer: "/spec/initContainers", Problem: "not a pod that can be decided about: /spec/initContainers has 1001 items, more than 1000"}},
		"name a number":           {document: `{"spec":{"initContainers":[{"name":5}]}}`, want: &pod.Error{Pointer: "/spec/initContainers/0/name", Problem: "not a pod: /spec/initContainers/0/name must be a string, not a JSON number"}},
		"user a string":           {document: `{"spec":{"securityContext":{"runAsUser":"0"}}}`, want: &pod.Error{Pointer: "/spec/securityContext/runAsUser", Problem: "not a pod: /spec/securityContext/runAsUser must be an integer, not a JSON string"}},
		"user a fraction":         {document: `{"spec":{"securityContext":{"runAsUser":0.5}}}`, want: &pod.Error{Pointer: "/spec/securityContext/runAsUser", Problem: "not a pod: /spec/securityContext/runAsUser must be an integer in range"}},
		"mode out of range":       {document: `{"spec":{"volumes":[{"secret":{"defaultMode":4294967296}}]}}`, want: &pod.Error{Pointer: "/spec/volumes/0/secret/defaultMode", Problem: "not a pod: /spec/volumes/0/secret/defaultMode must be an integer in range"}},
		"non-root a string":       {document: `{"spec":{"securityContext":{"runAsNonRoot":"true"}}}`, want: &pod.Error{Pointer: "/spec/securityContext/runAsNonRoot", Problem: "not a pod: /spec/securityContext/runAsNonRoot must be true or false, not a JSON string"}},
		"annotation a boolean":    {document: `{"metadata":{"annotations":{"a.b/c":true}},"spec":{}}`, want: &pod.Error{Annotation: "a.b/c", Pointer: "/metadata/annotations/a.b~1c", Problem: "the value must be a string, not a JSON boolean; put it in quotes"}},
		"annotations not a map":   {document: `{"metadata":{"annotations":"x"},"spec":{}}`, want: &pod.Error{Pointer: "/metadata/annotations", Problem: "not a pod: /metadata/annotations must be an object, not a JSON string"}},
		"control characters":      {document: `{"spec":{"\u0001":{"a\n":1,"a\n":1}}}`, want: &pod.Error{Pointer: "/spec/\x01/a\n", Problem: "not a pod: /spec/ /a  stands twice"}},
		"values are not repeated": {document: `{"spec":{"containers":"not-a-secret"}}`, want: &pod.Error{Pointer: "/spec/containers", Problem: "not a pod: /spec/containers must be a list, not a JSON string"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pod.Decode([]byte(test.document))
			fault, _ := err.(*pod.Error) //nolint:errorlint // the type itself is promised
			if diff := cmp.Diff(test.want, fault); diff != "" {
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
			decoded, err := pod.Decode([]byte(test.document))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, decoded.WorkloadName()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if name := (*pod.Pod)(nil).WorkloadName(); name != "" {
		t.Errorf("no pod is %q", name)
	}
}
