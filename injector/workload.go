// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"errors"
	"fmt"
	"strings"

	jsonpatchapply "github.com/evanphx/json-patch/v5"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"gomodules.xyz/jsonpatch/v2"
)

// Template says where the pods of a kind are described.
type Template struct {
	// Prefix is the JSON pointer of the pod template; empty for a pod itself.
	Prefix string
	// Carries says that annotations on the object are carried to its template.
	Carries bool
}

// templates are the built-in kinds, by group and kind.
var templates = map[[2]string]Template{
	{"", "Pod"}:                   {},
	{"", "PodTemplate"}:           {Prefix: "/template"},
	{"", "ReplicationController"}: {Prefix: "/spec/template", Carries: true},
	{"apps", "Deployment"}:        {Prefix: "/spec/template", Carries: true},
	{"apps", "StatefulSet"}:       {Prefix: "/spec/template", Carries: true},
	{"apps", "DaemonSet"}:         {Prefix: "/spec/template", Carries: true},
	{"apps", "ReplicaSet"}:        {Prefix: "/spec/template", Carries: true},
	{"batch", "Job"}:              {Prefix: "/spec/template", Carries: true},
	{"batch", "CronJob"}:          {Prefix: "/spec/jobTemplate/spec/template", Carries: true},
}

// TemplateOf returns where the pods of a kind are described, and whether it is a
// kind that has pods.
func TemplateOf(apiVersion, kind string) (Template, bool) {
	group, _, versioned := strings.Cut(apiVersion, "/")
	if !versioned {
		group = ""
	}
	template, ok := templates[[2]string{group, kind}]
	return template, ok
}

// Document is a pod or a workload as JSON.
type Document struct {
	JSON     []byte
	Template Template
	// Namespace is where the object is, or will be.
	Namespace string
	// PullSecrets adds image pull secrets to the template of a workload too.
	PullSecrets bool
}

// InjectDocument does to a document what the webhooks would do to the object and
// to its pods: annotations on a workload are carried to its template, and what
// the template asks for is injected there. The error is a *Refusal.
func InjectDocument(known Catalog, document Document) (Result, error) {
	carried, err := carry(document)
	if err != nil {
		return Result{}, err
	}
	current, err := Apply(document.JSON, carried)
	if err != nil {
		return Result{}, err
	}
	prefix := document.Template.Prefix
	raw, err := valueAt(current, prefix)
	if err != nil {
		return Result{}, err
	}
	if prefix != "" && isNull(raw) { // some workloads may be without a template
		return Result{Operations: carried}, nil
	}
	pod, err := DecodePod(raw)
	if err != nil {
		return Result{}, within(prefix, err)
	}
	result, err := Inject(known, Request{
		Pod: pod, Namespace: document.Namespace, Prefix: prefix,
		PullSecrets: prefix == "" || document.PullSecrets,
	})
	if err != nil {
		return Result{}, err
	}
	result.Operations = append(carried, result.Operations...)
	return result, nil
}

// within makes the place of a fault in a template one in the whole document.
func within(prefix string, err error) error {
	var refusal *Refusal
	if errors.As(err, &refusal) && (refusal.Pointer != "" || refusal.Annotation == "") {
		refusal.Pointer = prefix + refusal.Pointer
	}
	return err
}

// Apply returns the document with the operations applied. Members that no
// operation touches keep their values to the letter.
func Apply(document []byte, operations []jsonpatch.Operation) ([]byte, error) {
	if len(operations) == 0 {
		return document, nil
	}
	text, err := AppendPatch(nil, operations)
	if err != nil {
		return nil, fmt.Errorf("writing the patch: %w", err)
	}
	patch, err := jsonpatchapply.DecodePatch(text)
	if err != nil {
		return nil, fmt.Errorf("reading the patch: %w", err)
	}
	options := jsonpatchapply.NewApplyOptions()
	options.EscapeHTML = false
	patched, err := patch.ApplyWithOptions(document, options)
	if err != nil {
		return nil, fmt.Errorf("applying the patch: %w", err)
	}
	return patched, nil
}

// valueAt returns the raw value at a JSON pointer, nil where there is none.
func valueAt(document []byte, prefix string) (jsontext.Value, error) {
	value := jsontext.Value(document)
	if prefix == "" {
		return value, nil
	}
	at := ""
	for _, name := range strings.Split(prefix[1:], "/") {
		if isNull(value) {
			return nil, nil
		}
		var members map[string]jsontext.Value
		if err := json.Unmarshal(value, &members); err != nil {
			return nil, within(at, notA("workload", undecodable(err)))
		}
		value = members[name]
		at += "/" + name
	}
	return value, nil
}
