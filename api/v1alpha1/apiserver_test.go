// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	schemavalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// apiServer is the part of the API server that stands between a request and
// etcd for a custom resource: pruning, defaulting and validation, by its code.
type apiServer struct {
	structural *structuralschema.Structural
	resource   strategy
	status     strategy
}

// strategy is what the API server's types for it share.
type strategy interface {
	PrepareForCreate(context.Context, runtime.Object)
	Validate(context.Context, runtime.Object) field.ErrorList
	PrepareForUpdate(ctx context.Context, obj, old runtime.Object)
	ValidateUpdate(ctx context.Context, obj, old runtime.Object) field.ErrorList
}

// plurals names the kinds that have a generated CRD.
func plurals(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../charts/credence/files/crds/credence.dev_*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no CRDs in the chart (%v)", err)
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "credence.dev_"), ".yaml")
	}
	return names
}

// readCRD returns a generated CustomResourceDefinition as the API server has it,
// and its only schema.
func readCRD(t *testing.T, plural string) (*apiextensions.CustomResourceDefinition, *apiextensions.JSONSchemaProps) {
	t.Helper()
	text, err := os.ReadFile("../../charts/credence/files/crds/credence.dev_" + plural + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var external apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(text, &external); err != nil {
		t.Fatal(err)
	}
	apiextensionsv1.SetDefaults_CustomResourceDefinition(&external)
	apiextensionsv1.SetDefaults_CustomResourceDefinitionSpec(&external.Spec)
	var crd apiextensions.CustomResourceDefinition
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(&external, &crd, nil); err != nil {
		t.Fatal(err)
	}
	if len(crd.Spec.Versions) != 1 {
		t.Fatalf("%s has %d versions, and these tests know one", plural, len(crd.Spec.Versions))
	}
	if crd.Spec.Validation != nil { // the conversion lifts the schema that all versions share
		return &crd, crd.Spec.Validation.OpenAPIV3Schema
	}
	return &crd, crd.Spec.Versions[0].Schema.OpenAPIV3Schema
}

func newAPIServer(t *testing.T, plural string) *apiServer {
	t.Helper()
	crd, schema := readCRD(t, plural)
	structural, err := structuralschema.NewStructural(schema)
	if err != nil {
		t.Fatal(err)
	}
	whole, _, err := schemavalidation.NewSchemaValidator(schema)
	if err != nil {
		t.Fatal(err)
	}
	statusSchema := schema.Properties["status"]
	status, _, err := schemavalidation.NewSchemaValidator(&statusSchema)
	if err != nil {
		t.Fatal(err)
	}
	resource := customresource.NewStrategy(nil, crd.Spec.Scope == apiextensions.NamespaceScoped, v1alpha1.GroupVersion.WithKind(crd.Spec.Names.Kind),
		whole, status, structural, &apiextensions.CustomResourceSubresourceStatus{}, nil, nil)
	return &apiServer{structural: structural, resource: resource, status: customresource.NewStatusStrategy(resource)}
}

// apiServers are those of every kind, by kind.
type apiServers map[string]*apiServer

func newAPIServers(t *testing.T) apiServers {
	t.Helper()
	servers := apiServers{}
	for _, plural := range plurals(t) {
		crd, _ := readCRD(t, plural)
		servers[crd.Spec.Names.Kind] = newAPIServer(t, plural)
	}
	return servers
}

// of returns that of a document.
func (s apiServers) of(t *testing.T, document *unstructured.Unstructured) *apiServer {
	t.Helper()
	server, ok := s[document.GetKind()]
	if !ok {
		t.Fatalf("there is no CRD of %s", document.GetKind())
	}
	return server
}

// receive prunes and defaults an object as a request's body. It returns the
// fields that the schema does not know, which strict clients are told of.
func (s *apiServer) receive(obj *unstructured.Unstructured) []string {
	unknown := pruning.PruneWithOptions(obj.Object, s.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	defaulting.PruneNonNullableNullsWithoutDefaults(obj.Object, s.structural)
	defaulting.Default(obj.Object, s.structural)
	return unknown
}

func (s *apiServer) create(ctx context.Context, obj *unstructured.Unstructured) []string {
	s.receive(obj)
	s.resource.PrepareForCreate(ctx, obj)
	return messages(s.resource.Validate(ctx, obj))
}

func (s *apiServer) update(ctx context.Context, old, obj *unstructured.Unstructured) []string {
	return s.updateBy(ctx, s.resource, old, obj)
}

func (s *apiServer) updateStatus(ctx context.Context, old, obj *unstructured.Unstructured) []string {
	return s.updateBy(ctx, s.status, old, obj)
}

func (s *apiServer) updateBy(ctx context.Context, by strategy, old, obj *unstructured.Unstructured) []string {
	for _, o := range []*unstructured.Unstructured{old, obj} {
		s.receive(o)
		o.SetResourceVersion("1")
	}
	by.PrepareForUpdate(ctx, obj, old)
	return messages(by.ValidateUpdate(ctx, obj, old))
}

// messages are errors as people read them, less the value, sorted. What is no
// error of its own but says that rules were not reached is left out.
func messages(errs field.ErrorList) []string {
	found := map[string]bool{}
	for _, err := range errs {
		if strings.HasPrefix(err.Detail, "some validation rules were not checked") {
			continue
		}
		message := err.Field + ": " + err.Type.String()
		if err.Detail != "" {
			message += ": " + err.Detail
		}
		found[message] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// readDocuments reads the YAML documents of a file, without empty ones.
func readDocuments(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var documents []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		document := &unstructured.Unstructured{}
		if err := decoder.Decode(&document.Object); errors.Is(err, io.EOF) {
			return documents
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(document.Object) > 0 {
			documents = append(documents, document)
		}
	}
}
