// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/credence-dev/credence/injector/pod"
)

// Template says where the pods of a kind are described.
type Template struct {
	// Prefix is the JSON pointer of the pod template; empty for a pod itself.
	Prefix string
	// Carries says that annotations on the object are carried to its template.
	Carries bool
}

// templates are the built-in kinds, by group and kind.
var templates = map[[2]string]Template{
	{"", "Pod"}:                   {},
	{"", "PodTemplate"}:           {Prefix: "/template"},
	{"", "ReplicationController"}: {Prefix: "/spec/template", Carries: true},
	{"apps", "Deployment"}:        {Prefix: "/spec/template", Carries: true},
	{"apps", "StatefulSet"}:       {Prefix: "/spec/template", Carries: true},
	{"apps", "DaemonSet"}:         {Prefix: "/spec/template", Carries: true},
	{"apps", "ReplicaSet"}:        {Prefix: "/spec/template", Carries: true},
	{"batch", "Job"}:              {Prefix: "/spec/template", Carries: true},
	{"batch", "CronJob"}:          {Prefix: "/spec/jobTemplate/spec/template", Carries: true},
}

// TemplateOf returns where the pods of a kind are described, and whether it is a
// kind that has pods.
func TemplateOf(apiVersion, kind string) (Template, bool) {
	group, _, versioned := strings.Cut(apiVersion, "/")
	if !versioned {
		group = ""
	}
	template, ok := templates[[2]string{group, kind}]
	return template, ok
}

// Decode reads the pod template in an object, or a pod itself. It is nil where an
// object has no template. The error is a *pod.Error, with the place in the object.
func (t Template) Decode(object []byte) (*pod.Pod, error) {
	raw, err := t.in(object)
	if err != nil || raw == nil && t.Prefix != "" {
		return nil, err
	}
	template, err := pod.Decode(raw)
	return template, pod.Within(t.Prefix, err)
}

// in returns the JSON of the template in an object, nil where there is none; of a
// pod it is the object itself.
func (t Template) in(object []byte) (jsontext.Value, error) {
	value := jsontext.Value(object)
	if t.Prefix == "" {
		return value, nil
	}
	at := ""
	for name := range strings.SplitSeq(t.Prefix[1:], "/") {
		if isNull(value) {
			return nil, nil
		}
		var members map[string]jsontext.Value
		if err := json.Unmarshal(value, &members); err != nil {
			return nil, pod.Within(at, pod.Explain(err).NotA("workload"))
		}
		value = members[name]
		at += "/" + name
	}
	if isNull(value) { // some workloads may be without a template
		return nil, nil
	}
	return value, nil
}

// isNull says whether a raw value is absent or null.
func isNull(raw jsontext.Value) bool {
	return len(raw) == 0 || bytes.Equal(bytes.TrimSpace(raw), []byte("null"))
}
