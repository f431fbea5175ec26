// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"fmt"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/injector/annotation"
)

// origin is who names something: an annotation, or an asset that an annotation names,
// itself or through another asset.
type origin struct {
	annotation string
	// asset is nil where the annotation itself names it.
	asset *asset.Asset
	// from is where names are looked up: the pod's namespace, or the asset's extent.
	from *credential.Place
	// recorded is what the record calls the asset.
	recorded string
}

// refuse refuses what the origin names. What is wrong is said of the asset, if it is
// one: the pod's author mends his annotation, or asks the author of the asset.
func (o origin) refuse(format string, args ...any) *Refusal {
	problem := fmt.Sprintf(format, args...)
	if o.asset != nil {
		problem = o.asset.String() + ": " + problem
	}
	return refuse(o.annotation, "%s", problem)
}

// field is a field of an asset, for messages.
type field struct {
	format string // with a verb for the index, if there is one
	index  int
}

func (f field) String() string {
	if f.index < 0 {
		return f.format
	}
	return fmt.Sprintf(f.format, f.index)
}

// written is what an annotation itself names.
func (r *resolver) written(key string) origin { return origin{annotation: key, from: &r.place} }

// missing refuses a name that means nothing. What an asset names is told by its field
// alone: its author may see what the pod's may not.
func (r *resolver) missing(o origin, kind asset.Kind, name string, at field) *Refusal {
	var refusal *Refusal
	switch {
	case o.asset != nil:
		refusal = o.refuse("the %s in its field %s does not exist", kind.Word(), at)
	case kind == asset.Credential:
		refusal = o.refuse("there is no credential %q in namespace %s%s", name, r.place.Namespace, annotation.Nearest(name, r.known.Visible(r.place)))
	default:
		refusal = o.refuse("there is no %s %q in namespace %s%s", kind.Word(), name, r.place.Namespace, annotation.Nearest(name, r.known.VisibleAssets(kind, r.place)))
	}
	refusal.Kind = NotFound
	return refusal
}

// kindNamedBy is the kind of asset that an annotation names.
func kindNamedBy(key string) asset.Kind {
	switch key {
	case v1alpha1.AnnotationEnvironment:
		return asset.Environment
	case v1alpha1.AnnotationDataSources:
		return asset.DataSource
	}
	return asset.WorkloadTemplate
}
