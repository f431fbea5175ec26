// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/credence-dev/credence/injector/pod"
)

// Template says where in one object its pods are described.
type Template struct {
	// Prefix is the JSON pointer of the pod template; empty for a pod itself.
	Prefix string
	// Carries says that annotations on the object are carried to its template.
	Carries bool
	// PullSecrets says that image pull secrets belong in the template too.
	PullSecrets bool
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
	at := jsontext.Pointer("")
	for token := range jsontext.Pointer(t.Prefix).Tokens() {
		if isNull(value) {
			return nil, nil
		}
		step := Step{Field: token}
		if _, err := strconv.Atoi(token); err == nil && value.Kind() == '[' {
			step = Step{Items: true}
		}
		at = at.AppendToken(token)
		below, err := step.in(found{string(at.Parent()), value})
		if err != nil {
			return nil, err
		}
		value = nil
		for _, one := range below {
			if one.pointer == string(at) {
				value = one.value
			}
		}
	}
	if t.Prefix != "" && isNull(value) { // some workloads may be without a template
		return nil, nil
	}
	return value, nil
}

// Raw returns the JSON of the template in an object, nil where there is none.
func (t Template) Raw(object []byte) []byte {
	raw, err := t.in(object)
	if err != nil {
		return nil
	}
	return raw
}

// Name is the name in the metadata of the template in an object, empty where there is
// none.
func (t Template) Name(object []byte) string {
	template, err := t.Decode(object)
	if err != nil || template == nil {
		return ""
	}
	return template.Metadata.Name
}

// isNull says whether a raw value is absent or null.
func isNull(raw jsontext.Value) bool {
	return len(raw) == 0 || bytes.Equal(bytes.TrimSpace(raw), []byte("null"))
}
