// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"gomodules.xyz/jsonpatch/v2"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/annotation"
)

// carry copies annotations from a workload to its pod template, and removes from
// there what was carried before and is gone from the workload. An annotation
// that the template's author wrote stays.
//
// Only objects without a controller carry: a Deployment's annotations are copied
// to its ReplicaSets, and a ReplicaSet whose template changes is replaced by the
// Deployment with another, without end.
func carry(document Document) ([]jsonpatch.Operation, error) {
	if !document.Template.Carries {
		return nil, nil
	}
	var workload struct {
		Metadata Metadata `json:"metadata"`
	}
	if err := json.Unmarshal(document.JSON, &workload); err != nil {
		return nil, notA("workload", undecodable(err))
	}
	if _, controlled := workload.Metadata.Controller(); controlled {
		return nil, nil
	}
	raw, err := valueAt(document.JSON, document.Template.Prefix)
	if err != nil || isNull(raw) {
		return nil, err
	}
	var template struct {
		Metadata Metadata `json:"metadata"`
	}
	if err := json.Unmarshal(raw, &template); err != nil {
		return nil, within(document.Template.Prefix, notA("pod template", undecodable(err)))
	}
	return carried(document.Template.Prefix, &workload.Metadata, &template.Metadata), nil
}

func carried(prefix string, workload, template *Metadata) []jsonpatch.Operation {
	before := slices.DeleteFunc(strings.Split(workload.Annotations[v1alpha1.AnnotationCarried], ","), func(key string) bool {
		return !annotation.Asks(key) // whatever people write there, only our own are ever removed
	})
	wants := asked(workload.Annotations)
	onTemplate := operations{prefix: prefix}
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
	onTemplate.annotateAll(template, add)
	for _, key := range before {
		if _, there := template.Annotations[key]; there && !slices.Contains(now, key) {
			onTemplate.remove("/metadata/annotations/" + escape(key))
		}
	}
	onWorkload := operations{list: onTemplate.list}
	switch list := strings.Join(now, ","); {
	case list != "":
		onWorkload.annotate(workload, v1alpha1.AnnotationCarried, list)
	case len(before) > 0:
		onWorkload.remove("/metadata/annotations/" + escape(v1alpha1.AnnotationCarried))
	}
	return onWorkload.list
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
