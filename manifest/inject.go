// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"errors"
	"fmt"
	"strings"

	"gomodules.xyz/jsonpatch/v2"

	"github.com/credence-dev/credence/injector"
	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/fetch"
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
	// Kinds are those of WorkloadKinds that have pods too; nil for none.
	Kinds *workload.Registry
	// Fetch says with what data sources are fetched. The default is that of an
	// installation that changes nothing.
	Fetch *fetch.Settings
}

// kindOf returns the kind that an object is of, if it has pods.
func (o *Options) kindOf(t typeMeta) (workload.Kind, bool) {
	if o.Kinds == nil {
		return workload.KindOf(t.APIVersion, t.Kind)
	}
	return o.Kinds.Of(t.APIVersion, t.Kind)
}

// Inject injects into every workload of a document. Other objects pass unchanged.
// The error names the file, the document, the line and the object.
func Inject(known injector.Catalog, document Document, options Options) (Injected, error) {
	injected := Injected{Document: document}
	err := eachObject(document.JSON, "", typeMeta{}, func(o object) error {
		kind, ok := options.kindOf(o.typeMeta)
		switch {
		case o.isList:
			injected.warnOfList(o)
		case !ok:
			injected.passOver(o)
		default:
			return injected.add(known, o, &kind, options)
		}
		return nil
	})
	if err != nil {
		return Injected{}, document.locate(err)
	}
	return injected, nil
}

// named is the part of an object that says which one it is.
type named struct {
	Metadata struct {
		Name         string `json:"name"`
		GenerateName string `json:"generateName"`
		Namespace    string `json:"namespace"`
	} `json:"metadata"`
}

// called says which object something is about, in one line.
func (n *named) called(kind string) string {
	name := or(n.Metadata.Name, n.Metadata.GenerateName)
	if name == "" {
		return annotation.Show(kind) + " without a name"
	}
	return annotation.Show(kind) + " " + annotation.Show(name)
}

// passOver warns of objects that are not injected into though they ask for it.
func (i *Injected) passOver(o object) {
	onObject, onTemplate := workload.AsksUnheard(o.JSON)
	var n named
	_ = pod.DecodeInto(o.JSON, &n) // what cannot be read has no name
	warn := func(what, problem string) { i.Warnings = append(i.Warnings, what+": "+problem) }
	problem := o.quoted() + " is not a kind of workload that Credence knows"
	switch {
	case o.Kind == "":
		warn(i.String(), "an object has no kind; nothing is injected")
	case onObject:
		warn(n.called(o.Kind), problem+"; nothing is injected"+nearestKind(o.typeMeta, workload.Kinds()))
	case onTemplate:
		warn(n.called(o.Kind), problem+"; nothing is injected here, but into its pods in a cluster"+nearestKind(o.typeMeta, workload.Kinds()))
	}
}

// warnOfList warns of annotations on a List itself. It has no name.
func (i *Injected) warnOfList(o object) {
	if onList, _ := workload.AsksUnheard(o.JSON); onList {
		place := o.Pointer + "/metadata"
		i.Warnings = append(i.Warnings, fmt.Sprintf("%s: annotations at %s have no effect; they belong on the items of the %s",
			i.at(i.lineOf(place+"/annotations")), place, o.Kind))
	}
}

// warnMisplaced warns of annotations that nothing heeds.
func (i *Injected) warnMisplaced(o object, kind *workload.Kind, what string) {
	for _, place := range kind.Misplaced(o.JSON) {
		problem := "annotations at " + place + " have no effect"
		switch {
		case !kind.Carries:
			problem += "; they belong at " + whereIn(kind)
		case place == "/metadata":
			problem = "it has no pod template; nothing is injected"
		default:
			problem += "; they belong on the " + o.Kind + " itself or at " + whereIn(kind)
		}
		i.Warnings = append(i.Warnings, what+": "+problem)
	}
}

// whereIn is where in an object the metadata of its pod template is.
func whereIn(kind *workload.Kind) string {
	return strings.ReplaceAll(kind.Paths[0].String(), ".", "/") + "/metadata"
}

func (i *Injected) add(known injector.Catalog, o object, kind *workload.Kind, options Options) error {
	var n named
	if err := pod.DecodeInto(o.JSON, &n); err != nil {
		return unreadable(o.Pointer, o.Kind, err)
	}
	what := n.called(o.Kind)
	i.warnMisplaced(o, kind, what)
	result, err := injector.InjectDocument(known, injector.Document{
		JSON: o.JSON, Kind: *kind, PullSecrets: options.PullSecrets, Fetch: options.Fetch,
		Namespace: or(n.Metadata.Namespace, options.Namespace),
	})
	if err != nil {
		return o.fault(kind, what, err)
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

// fault places a refusal. An annotation that is not on a template was carried there
// from the workload.
func (o *object) fault(kind *workload.Kind, what string, err error) error {
	f := &fault{[]string{o.Pointer}, fmt.Errorf("%s: %w", what, err)}
	var refusal *injector.Refusal
	switch {
	case !errors.As(err, &refusal):
	case refusal.Pointer == "" && refusal.Annotation != "":
		key := "/metadata/annotations/" + escaper.Replace(refusal.Annotation)
		f.pointers = nil
		templates, _ := kind.Templates(o.JSON) // it was read before
		for _, template := range templates {
			f.pointers = append(f.pointers, o.Pointer+template.Prefix+key)
		}
		f.pointers = append(f.pointers, o.Pointer+key)
	default:
		f.pointers = []string{o.Pointer + refusal.Pointer}
	}
	return f
}

var escaper = strings.NewReplacer("~", "~0", "/", "~1")
