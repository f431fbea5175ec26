// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metavalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/charts"
)

// kindSchema holds an object against the schema and the rules of its CRD, by the API
// server's own code.
type kindSchema struct {
	structural *schema.Structural
	fields     validation.SchemaCreateValidator
	rules      *cel.Validator
}

// schemas are those of our kinds. Their rules are compiled when the first object of
// the kind is read.
var schemas = func() map[typeMeta]func() (*kindSchema, error) {
	all := map[typeMeta]func() (*kindSchema, error){}
	for _, of := range ourTypes {
		all[of] = sync.OnceValues(func() (*kindSchema, error) { return newKindSchema(of) })
	}
	return all
}()

func newKindSchema(of typeMeta) (*kindSchema, error) {
	crds, err := charts.CRDs()
	if err != nil {
		return nil, err
	}
	for _, crd := range crds {
		for i := range crd.Spec.Versions {
			version := &crd.Spec.Versions[i]
			if crd.Spec.Names.Kind == of.Kind && crd.Spec.Group+"/"+version.Name == of.APIVersion {
				return compileSchema(version.Schema.OpenAPIV3Schema)
			}
		}
	}
	return nil, fmt.Errorf("there is no CRD of %s %s", of.APIVersion, of.Kind)
}

func compileSchema(external *apiextensionsv1.JSONSchemaProps) (*kindSchema, error) {
	var props apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(external, &props, nil); err != nil {
		return nil, fmt.Errorf("converting a schema: %w", err)
	}
	structural, err := schema.NewStructural(&props)
	if err != nil {
		return nil, fmt.Errorf("reading a schema: %w", err)
	}
	fields, _, err := validation.NewSchemaValidator(&props)
	if err != nil {
		return nil, fmt.Errorf("reading a schema: %w", err)
	}
	return &kindSchema{structural, fields, cel.NewValidator(structural, true, celconfig.PerCallLimit)}, nil
}

// check returns what the API server would refuse the object for when it is created,
// which is without its status.
func (s *kindSchema) check(text []byte) (field.ErrorList, error) {
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, err
	}
	delete(object, "status")
	defaulting.PruneNonNullableNullsWithoutDefaults(object, s.structural)
	defaulting.Default(object, s.structural)
	errs := validation.ValidateCustomResource(nil, object, s.fields)
	if errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, object)...); len(errs) > 0 {
		return errs, nil
	}
	errs, _ = s.rules.Validate(context.Background(), nil, s.structural, object, nil, celconfig.RuntimeCELCostBudget)
	return errs, nil
}

// validate returns the fault of an asset that no API server would take: nobody could
// apply it, and what follows from it would follow in no cluster. An object of ours with
// a status was taken by one, which may have another version of the CRD.
func validate(o object, metadata metav1.Object) error {
	nameRules := metavalidation.NameIsDNSSubdomain
	if o.typeMeta == namespaceType {
		nameRules = metavalidation.ValidateNamespaceName
	}
	isNamespaced := metadata.GetNamespace() != ""
	errs := metavalidation.ValidateObjectMetaAccessor(metadata, isNamespaced, nameRules, field.NewPath("metadata"))
	if schemaOf, ours := schemas[o.typeMeta]; ours && len(errs) == 0 && !wasSeen(metadata) {
		known, err := schemaOf()
		if err == nil {
			errs, err = known.check(o.JSON)
		}
		if err != nil {
			return &fault{[]string{o.Pointer}, fmt.Errorf("the %s cannot be read: %w", o.Kind, err)}
		}
	}
	if len(errs) == 0 {
		return nil
	}
	first := slices.MinFunc(errs, func(a, b *field.Error) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(a.Detail, b.Detail))
	})
	problem := first.Type.String() // without the value
	if first.Detail != "" {
		problem += ": " + first.Detail
	}
	return &fault{[]string{o.Pointer + pointerOf(first.Field)}, fmt.Errorf("the %s is not valid: %s: %s", o.Kind, first.Field, problem)}
}

// wasSeen says whether a controller has seen an object of ours.
func wasSeen(object metav1.Object) bool {
	switch one := object.(type) {
	case *v1alpha1.Credential:
		return hasStatus(one)
	case *v1alpha1.Environment:
		return one.Status.ObservedGeneration > 0
	case *v1alpha1.DataSource:
		return one.Status.ObservedGeneration > 0
	case *v1alpha1.WorkloadTemplate:
		return one.Status.ObservedGeneration > 0
	case *v1alpha1.WorkloadKind:
		return one.Status.ObservedGeneration > 0
	}
	return false
}

// unknownKind is the fault of an object in our group that is not of a kind or version
// that there is.
func unknownKind(o object) error {
	names := make([]string, len(ourTypes))
	for i, one := range ourTypes {
		names[i] = one.String()
	}
	return &fault{[]string{o.Pointer + "/kind"}, fmt.Errorf("%s is not a kind that this version of Credence knows%s",
		o.quoted(), nearestKind(o.typeMeta, names))}
}

// isOurs says whether an object is in our group, in whatever spelling.
func (t typeMeta) isOurs() bool {
	group, _, _ := strings.Cut(t.APIVersion, "/")
	return strings.EqualFold(group, v1alpha1.Group)
}
