// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"gomodules.xyz/jsonpatch/v2"

	"github.com/credence-dev/credence/injector/remark"
	"github.com/credence-dev/credence/injector/workload"
)

// maxChecked bounds how many templates of an object are looked at for its author.
const maxChecked = 20

// Check looks at the pod templates of a workload before there are pods. It warns the
// author of what would keep pods from being admitted, and of what they would be warned
// of, and returns what adds image pull secrets, with their record, to the templates
// that they belong in. Nothing is refused here, and what is only not ready yet is not
// worth a word. The request is the same for all templates.
func Check(known Catalog, object []byte, templates []workload.Template, request Request, warnings *remark.Warnings) (pullSecrets []jsonpatch.Operation) {
	for _, template := range templates[:min(len(templates), maxChecked)] {
		pod, err := template.Decode(object)
		if err != nil || pod == nil {
			continue // the API server says what it thinks of it
		}
		request.Pod, request.Prefix, request.PullSecrets = pod, template.Prefix, template.PullSecrets
		switch plan, refusal := decide(known, &request); {
		case refusal != nil && refusal.Kind != NotReady:
			warnings.Add("pods will be refused: %s", refusal.Error())
		case plan != nil:
			pullSecrets = append(pullSecrets, plan.onlyPullSecrets()...)
			warnings.AddAll(&plan.warnings)
		}
	}
	return pullSecrets
}
