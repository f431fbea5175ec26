// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"slices"

	"github.com/credence-dev/credence/injector/fetch"
	"github.com/credence-dev/credence/injector/patch"
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
	all := results{Result: Result{Operations: carried}}
	if !workload.Fits(document.JSON, templates...) {
		all.warnings.add("%s", NotCarriedTooLarge)
	}
	for _, template := range templates {
		pod, err := template.Decode(current)
		if err != nil {
			return Result{}, unreadable(err)
		}
		result, err := Inject(known, Request{
			Pod: pod, Namespace: document.Namespace, Prefix: template.Prefix,
			PullSecrets: template.Prefix == "" || document.PullSecrets || document.Kind.PullSecrets, Fetch: document.Fetch,
		})
		if err != nil {
			return Result{}, err
		}
		all.add(&result)
	}
	return all.whole(), nil
}

// NotCarriedTooLarge says why annotations stay where they are.
const NotCarriedTooLarge = "the annotations are not carried to the pod template: its annotations would have more than the 256 KiB that the API server takes"

// results is what several templates get together.
type results struct {
	Result
	warnings warnings
}

func (r *results) add(one *Result) {
	r.Operations = append(r.Operations, one.Operations...)
	for _, warning := range one.Warnings {
		r.warnings.add("%s", warning)
	}
	for name, ways := range one.Record {
		if r.Record == nil {
			r.Record = Record{}
		}
		for _, way := range ways {
			if !slices.Contains(r.Record[name], way) {
				r.Record[name] = append(r.Record[name], way)
			}
		}
	}
}

func (r *results) whole() Result {
	whole := r.Result
	whole.Warnings = r.warnings.all()
	return whole
}
