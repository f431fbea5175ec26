// SPDX-License-Identifier: Apache-2.0

package own

import (
	"fmt"

	"gomodules.xyz/jsonpatch/v2"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/patch"
)

// stamps are the annotations that say who made an object and who changed it.
var stamps = []string{v1alpha1.AnnotationCreatedBy, v1alpha1.AnnotationUpdatedBy}

// stamp is the value of one of them, if it is there.
type stamp struct {
	user  string
	there bool
}

func stampOf(object *Object, annotation string) stamp {
	if object == nil {
		return stamp{}
	}
	user, there := object.Metadata.Annotations[annotation]
	return stamp{user, there}
}

// Stamp returns the operations that put an object's stamps right: at its creation,
// of which old is nil, both are the user; at an update they stay as they were,
// except that who changes the spec becomes the one who updated it. A value that
// somebody gave is warned about, and ignored.
func Stamp(old, object *Object, user string) (operations []jsonpatch.Operation, warnings []string) {
	builder, missing := patch.Builder{}, map[string]string{}
	for _, annotation := range stamps {
		given, before := stampOf(object, annotation), stampOf(old, annotation)
		want := before
		if old == nil || annotation == v1alpha1.AnnotationUpdatedBy && !sameSpec(old.Spec, object.Spec) {
			want = stamp{user, true}
		}
		switch {
		case given == want:
			continue
		case want.there:
			missing[annotation] = want.user
		default:
			builder.RemoveAnnotation(annotation)
		}
		if given.there && given != before {
			warnings = append(warnings, fmt.Sprintf("annotation %s is written by Credence alone; the value that was given is ignored", annotation))
		}
	}
	builder.AnnotateAll(&object.Metadata.Metadata, missing)
	return builder.Operations, warnings
}
