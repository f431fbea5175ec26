// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/injector/workload"
)

// Document is a pod or a workload as JSON.
type Document struct {
	JSON     []byte
	Template workload.Template
	// Namespace is where the object is, or will be.
	Namespace string
	// PullSecrets adds image pull secrets to the template of a workload too.
	PullSecrets bool
}

// InjectDocument does to a document what the webhooks would do to the object and
// to its pods: annotations on a workload are carried to its template, and what
// the template asks for is injected there. The error is a *Refusal.
func InjectDocument(known Catalog, document Document) (Result, error) {
	carried, err := workload.Carry(document.JSON, document.Template)
	if err != nil {
		return Result{}, unreadable(err)
	}
	current, err := patch.Apply(document.JSON, carried)
	if err != nil {
		return Result{}, err
	}
	template, err := document.Template.Decode(current)
	if err != nil {
		return Result{}, unreadable(err)
	}
	if template == nil { // some workloads may be without one
		return Result{Operations: carried}, nil
	}
	result, err := Inject(known, Request{
		Pod: template, Namespace: document.Namespace, Prefix: document.Template.Prefix,
		PullSecrets: document.Template.Prefix == "" || document.PullSecrets,
	})
	if err != nil {
		return Result{}, err
	}
	result.Operations = append(carried, result.Operations...)
	return result, nil
}
