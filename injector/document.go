// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"github.com/credence-dev/credence/injector/fetch"
	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/injector/remark"
	"github.com/credence-dev/credence/injector/workload"
)

// Document is a pod or a workload as JSON.
type Document struct {
	JSON []byte
	// Kind is what it is. The zero value is a pod.
	Kind workload.Kind
	// Namespace is where the object is, or will be.
	Namespace string
	// PullSecrets adds image pull secrets to the templates of a workload too.
	PullSecrets bool
	// Fetch says with what data sources are fetched, as in Request.
	Fetch *fetch.Settings
}

// InjectDocument does to a document what the webhooks would do to the object and
// to its pods: annotations on a workload are carried to its templates, and what
// each template asks for is injected there. The error is a *Refusal.
func InjectDocument(known Catalog, document Document) (Result, error) {
	templates, err := document.Kind.Templates(document.JSON)
	if err != nil {
		return Result{}, unreadable(err)
	}
	carried, err := workload.Carry(document.JSON, templates...)
	if err != nil {
		return Result{}, unreadable(err)
	}
	current, err := patch.Apply(document.JSON, carried)
	if err != nil {
		return Result{}, err
	}
	all, warnings := Result{Operations: carried}, remark.Warnings{}
	if !workload.Fits(document.JSON, templates...) {
		warnings.Add("%s", NotCarriedTooLarge)
	}
	for _, template := range templates {
		pod, err := template.Decode(current)
		if err != nil {
			return Result{}, unreadable(err)
		}
		plan, refusal := decide(known, &Request{
			Pod: pod, Namespace: document.Namespace, Prefix: template.Prefix,
			PullSecrets: template.Prefix == "" || document.PullSecrets || template.PullSecrets, Fetch: document.Fetch,
		})
		switch {
		case refusal != nil:
			return Result{}, refusal
		case plan == nil:
			continue
		}
		one := plan.result()
		all.Operations = append(all.Operations, one.Operations...)
		all.Record = all.Record.With(one.Record)
		warnings.AddAll(&plan.warnings)
	}
	all.Warnings = warnings.List()
	return all, nil
}

// NotCarriedTooLarge says why annotations stay where they are.
const NotCarriedTooLarge = "the annotations are not carried to the pod template: its annotations would have more than the 256 KiB that the API server takes"
