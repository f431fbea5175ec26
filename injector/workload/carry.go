// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"github.com/go-json-experiment/json"
	"gomodules.xyz/jsonpatch/v2"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/injector/pod"
)

// Carry returns the operations that copy annotations from an object to its pod
// templates, and remove from there what was carried before and is gone from the
// object. An annotation that a template's author wrote stays. The error is a
// *pod.Error.
//
// Only objects without a controller carry: a Deployment's annotations are copied
// to its ReplicaSets, and a ReplicaSet whose template changes is replaced by the
// Deployment with another, without end.
func Carry(object []byte, templates ...Template) ([]jsonpatch.Operation, error) {
	carry, onObject, err := carryOf(object, templates)
	if err != nil || !carry.changes() || carry.tooLarge {
		return nil, err
	}
	var operations []jsonpatch.Operation
	for _, one := range carry.templates {
		builder := patch.Builder{Prefix: one.prefix, Operations: operations}
		builder.AnnotateAll(one.metadata, one.set)
		for _, key := range one.remove {
			builder.RemoveAnnotation(key)
		}
		operations = builder.Operations
	}
	builder := patch.Builder{Operations: operations}
	switch {
	case carry.list != "":
		builder.Annotate(onObject, v1alpha1.AnnotationCarried, carry.list)
	case carry.listed:
		builder.RemoveAnnotation(v1alpha1.AnnotationCarried)
	}
	return builder.Operations, nil
}

// Fits says whether there is room for what is to be carried: all annotations of an
// object may have 256 KiB together, and so may those of a pod template. What does
// not fit is not carried, for the API server would refuse it. It takes for fitting
// what cannot be read.
func Fits(object []byte, templates ...Template) bool {
	carry, _, err := carryOf(object, templates)
	return err != nil || !carry.tooLarge
}

// carryOf reads an object with its templates and decides what is to be done.
func carryOf(object []byte, templates []Template) (carry, *pod.Metadata, error) {
	var head struct {
		Metadata pod.Metadata `json:"metadata"`
	}
	if err := json.Unmarshal(object, &head); err != nil {
		return carry{}, nil, pod.Explain(err).NotA("workload")
	}
	if _, controlled := head.Metadata.Controller(); controlled || !mayCarry(head.Metadata.Annotations) {
		return carry{}, &head.Metadata, nil
	}
	var list []target
	for _, template := range templates {
		raw, err := template.in(object)
		if err != nil {
			return carry{}, nil, err
		}
		if !template.Carries || raw == nil {
			continue
		}
		var on struct {
			Metadata pod.Metadata `json:"metadata"`
		}
		if err := json.Unmarshal(raw, &on); err != nil {
			return carry{}, nil, pod.Within(template.Prefix, pod.Explain(err).NotA("pod template"))
		}
		list = append(list, target{prefix: template.Prefix, metadata: &on.Metadata})
	}
	return decide(head.Metadata.Annotations, list), &head.Metadata, nil
}

// IsUncarried says whether annotations of an object are not on its pod templates as
// they would be if they had been carried. An object with a controller carries none.
func IsUncarried(object map[string]string, templates ...map[string]string) bool {
	if !mayCarry(object) { // most objects: this costs no memory
		return false
	}
	list := make([]target, len(templates))
	for i := range templates {
		list[i].metadata = &pod.Metadata{Annotations: templates[i]}
	}
	carry := decide(object, list)
	return carry.changes()
}
