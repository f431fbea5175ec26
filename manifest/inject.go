// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"fmt"

	"gomodules.xyz/jsonpatch/v2"
	kjson "sigs.k8s.io/json"

	"github.com/credence-dev/credence/injector"
)

// Injected is a document with what injecting into it takes.
type Injected struct {
	Document
	// Operations turn the document into the injected one; none if nothing changes.
	Operations []jsonpatch.Operation
	// Warnings name the object that they are about.
	Warnings []string
}

// Options say how documents are injected into.
type Options struct {
	// Namespace is that of objects that name none.
	Namespace string
	// PullSecrets adds image pull secrets to the pod templates of workloads too.
	PullSecrets bool
}

// Inject injects into every workload of a document. Other objects pass unchanged.
// The error names the document and the object.
func Inject(known injector.Catalog, document Document, options Options) (Injected, error) {
	injected := Injected{Document: document}
	err := eachObject(document.JSON, "", typeMeta{}, func(o object) error {
		template, ok := injector.TemplateOf(o.APIVersion, o.Kind)
		if !ok {
			return nil
		}
		var named struct {
			Metadata struct {
				Name         string `json:"name"`
				GenerateName string `json:"generateName"`
				Namespace    string `json:"namespace"`
			} `json:"metadata"`
		}
		if err := kjson.UnmarshalCaseSensitivePreserveInts(o.JSON, &named); err != nil {
			return fmt.Errorf("not a Kubernetes object: %w", err)
		}
		what := o.Kind + " " + or(named.Metadata.Name, or(named.Metadata.GenerateName, "without a name"))
		result, err := injector.InjectDocument(known, injector.Document{
			JSON: o.JSON, Template: template, PullSecrets: options.PullSecrets,
			Namespace: or(named.Metadata.Namespace, options.Namespace),
		})
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		for _, operation := range result.Operations {
			operation.Path = o.Pointer + operation.Path
			injected.Operations = append(injected.Operations, operation)
		}
		for _, warning := range result.Warnings {
			injected.Warnings = append(injected.Warnings, what+": "+warning)
		}
		return nil
	})
	if err != nil {
		return Injected{}, fmt.Errorf("%s: %w", &document, err)
	}
	return injected, nil
}
