// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"errors"
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/injector/workload"
)

// maxChecked bounds how many templates of an object are looked at for its author.
const maxChecked = 20

// Check returns what the author of a workload should know before there are pods: what
// would keep them from being admitted, and what they would be warned of. There are at
// most five warnings of at most 200 characters. Nothing is refused here, and what is
// only not ready yet is not worth a word.
func Check(known Catalog, object []byte, templates []workload.Template, request Request) []string {
	var all warnings
	for _, template := range templates[:min(len(templates), maxChecked)] {
		pod, err := template.Decode(object)
		if err != nil || pod == nil {
			continue // the API server says what it thinks of it
		}
		request.Pod, request.Prefix = pod, template.Prefix
		result, err := Inject(known, request)
		var refusal *Refusal
		if errors.As(err, &refusal) && refusal.Kind != NotReady {
			all.add("pods will be refused: %s", refusal.Error())
		}
		for _, warning := range result.Warnings {
			all.add("%s", warning)
		}
	}
	return all.all()
}

// OnlyPullSecrets returns what adds the image pull secrets to a pod template, with
// their record, and nothing else. Where the rest cannot be had there are none: that is
// for the pods to say.
func OnlyPullSecrets(known Catalog, request Request) []jsonpatch.Operation {
	request.PullSecrets = true
	result, err := Inject(known, request)
	if err != nil {
		return nil
	}
	at := request.Prefix + "/spec/imagePullSecrets"
	operations := slices.DeleteFunc(result.Operations, func(o jsonpatch.Operation) bool {
		return o.Path != at && !strings.HasPrefix(o.Path, at+"/")
	})
	record := Record{}
	for name, ways := range result.Record {
		for _, way := range ways {
			if way == recordPullSecret || way == RecordAutomatic {
				record[name] = append(record[name], way)
			}
		}
	}
	if len(record) == 0 {
		return operations
	}
	builder := patch.Builder{Prefix: request.Prefix, Operations: operations}
	builder.Annotate(&request.Pod.Metadata, v1alpha1.AnnotationInjected, record.String())
	return builder.Operations
}
