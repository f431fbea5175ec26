// SPDX-License-Identifier: Apache-2.0

package patch

import (
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"gomodules.xyz/jsonpatch/v2"

	"github.com/credence-dev/credence/injector/pod"
)

// Builder collects operations on one object. What is added to an array has to be
// added in one call, and so have annotations: every array gets at most one operation
// that creates it, for a second would overwrite the first.
type Builder struct {
	// Prefix is the JSON pointer of the object within the document.
	Prefix string
	// Operations are what was collected.
	Operations []jsonpatch.Operation
}

func (b *Builder) add(path string, value any) {
	b.Operations = append(b.Operations, jsonpatch.NewOperation("add", b.Prefix+path, value))
}

// Set sets a member of an object, whether or not it is there.
func (b *Builder) Set(path string, value any) { b.add(path, value) }

// Replace sets a member that is there.
func (b *Builder) Replace(path string, value any) {
	b.Operations = append(b.Operations, jsonpatch.NewOperation("replace", b.Prefix+path, value))
}

// Append adds values behind those of an array, or the array.
func (b *Builder) Append(path string, exists bool, values []any) {
	if !exists && len(values) > 0 {
		b.add(path, values)
		return
	}
	for _, value := range values {
		b.add(path+"/-", value)
	}
}

// Prepend adds values before those of an array, in their order, or the array.
func (b *Builder) Prepend(path string, exists bool, values []any) {
	if !exists && len(values) > 0 {
		b.add(path, values)
		return
	}
	for i := len(values) - 1; i >= 0; i-- {
		b.add(path+"/0", values[i])
	}
}

// Annotate sets one annotation, where it is not so already.
func (b *Builder) Annotate(metadata *pod.Metadata, key, value string) {
	if old, ok := metadata.Annotations[key]; !ok || old != value {
		b.AnnotateAll(metadata, map[string]string{key: value})
	}
}

// AnnotateAll sets several annotations.
func (b *Builder) AnnotateAll(metadata *pod.Metadata, annotations map[string]string) {
	switch {
	case len(annotations) == 0:
	case metadata.Annotations != nil:
		for _, key := range slices.Sorted(maps.Keys(annotations)) {
			b.add("/metadata/annotations/"+escape(key), annotations[key])
		}
	case metadata.Present():
		b.add("/metadata/annotations", annotations)
	default:
		b.add("/metadata", map[string]any{"annotations": annotations})
	}
}

// RemoveAnnotation removes an annotation that is there.
func (b *Builder) RemoveAnnotation(key string) {
	b.Operations = append(b.Operations, jsonpatch.Operation{Operation: "remove", Path: b.Prefix + "/metadata/annotations/" + escape(key)})
}

// escape makes a token of a JSON pointer of a name.
func escape(name string) string {
	return string(jsontext.Pointer("").AppendToken(name)[1:])
}
