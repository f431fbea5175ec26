// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"gomodules.xyz/jsonpatch/v2"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/injector/pod"
)

// Carry returns the operations that copy annotations from an object to its pod
// template, and remove from there what was carried before and is gone from the
// object. An annotation that the template's author wrote stays. The error is a
// *pod.Error.
//
// Only objects without a controller carry: a Deployment's annotations are copied
// to its ReplicaSets, and a ReplicaSet whose template changes is replaced by the
// Deployment with another, without end.
func Carry(object []byte, template Template) ([]jsonpatch.Operation, error) {
	if !template.Carries {
		return nil, nil
	}
	var onObject, onTemplate struct {
		Metadata pod.Metadata `json:"metadata"`
	}
	if err := json.Unmarshal(object, &onObject); err != nil {
		return nil, pod.Explain(err).NotA("workload")
	}
	if _, controlled := onObject.Metadata.Controller(); controlled {
		return nil, nil
	}
	raw, err := template.in(object)
	if err != nil || raw == nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &onTemplate); err != nil {
		return nil, pod.Within(template.Prefix, pod.Explain(err).NotA("pod template"))
	}
	return carried(template.Prefix, &onObject.Metadata, &onTemplate.Metadata), nil
}

func carried(prefix string, workload, template *pod.Metadata) []jsonpatch.Operation {
	before := slices.DeleteFunc(strings.Split(workload.Annotations[v1alpha1.AnnotationCarried], ","), func(key string) bool {
		return !annotation.Asks(key) // whatever people write there, only our own are ever removed
	})
	wants := asked(workload.Annotations)
	onTemplate := patch.Builder{Prefix: prefix}
	var now []string
	add := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(wants)) {
		value, there := template.Annotations[key]
		if there && !slices.Contains(before, key) {
			continue // the template's own
		}
		now = append(now, key)
		if !there || value != wants[key] {
			add[key] = wants[key]
		}
	}
	onTemplate.AnnotateAll(template, add)
	for _, key := range before {
		if _, there := template.Annotations[key]; there && !slices.Contains(now, key) {
			onTemplate.RemoveAnnotation(key)
		}
	}
	onWorkload := patch.Builder{Operations: onTemplate.Operations}
	switch list := strings.Join(now, ","); {
	case list != "":
		onWorkload.Annotate(workload, v1alpha1.AnnotationCarried, list)
	case len(before) > 0:
		onWorkload.RemoveAnnotation(v1alpha1.AnnotationCarried)
	}
	return onWorkload.Operations
}

// asked returns the annotations that ask for something. A key with a comma, which
// the API server takes nowhere, could not be listed.
func asked(annotations map[string]string) map[string]string {
	asked := map[string]string{}
	for key, value := range annotations {
		if annotation.Asks(key) && !strings.Contains(key, ",") {
			asked[key] = value
		}
	}
	return asked
}
