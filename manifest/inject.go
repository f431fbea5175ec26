// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"errors"
	"fmt"
	"strings"

	"gomodules.xyz/jsonpatch/v2"

	"github.com/credence-dev/credence/injector"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/injector/workload"
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
// The error names the file, the document, the line and the object.
func Inject(known injector.Catalog, document Document, options Options) (Injected, error) {
	injected := Injected{Document: document}
	err := eachObject(document.JSON, "", typeMeta{}, func(o object) error {
		template, ok := workload.TemplateOf(o.APIVersion, o.Kind)
		if !ok {
			return nil
		}
		return injected.add(known, o, template, options)
	})
	if err != nil {
		return Injected{}, document.locate(err)
	}
	return injected, nil
}

func (i *Injected) add(known injector.Catalog, o object, template workload.Template, options Options) error {
	var named struct {
		Metadata struct {
			Name         string `json:"name"`
			GenerateName string `json:"generateName"`
			Namespace    string `json:"namespace"`
		} `json:"metadata"`
	}
	if err := pod.DecodeInto(o.JSON, &named); err != nil {
		return unreadable(o.Pointer, o.Kind, err)
	}
	what := o.Kind + " " + or(named.Metadata.Name, or(named.Metadata.GenerateName, "without a name"))
	result, err := injector.InjectDocument(known, injector.Document{
		JSON: o.JSON, Template: template, PullSecrets: options.PullSecrets,
		Namespace: or(named.Metadata.Namespace, options.Namespace),
	})
	if err != nil {
		return o.fault(template, what, err)
	}
	for _, operation := range result.Operations {
		operation.Path = o.Pointer + operation.Path
		i.Operations = append(i.Operations, operation)
	}
	for _, warning := range result.Warnings {
		i.Warnings = append(i.Warnings, what+": "+warning)
	}
	return nil
}

// fault places a refusal. An annotation that is not on the template was carried
// there from the workload.
func (o *object) fault(template workload.Template, what string, err error) error {
	f := &fault{[]string{o.Pointer}, fmt.Errorf("%s: %w", what, err)}
	var refusal *injector.Refusal
	switch {
	case !errors.As(err, &refusal):
	case refusal.Pointer == "" && refusal.Annotation != "":
		key := "/metadata/annotations/" + escaper.Replace(refusal.Annotation)
		f.pointers = []string{o.Pointer + template.Prefix + key, o.Pointer + key}
	default:
		f.pointers = []string{o.Pointer + refusal.Pointer}
	}
	return f
}

var escaper = strings.NewReplacer("~", "~0", "/", "~1")
