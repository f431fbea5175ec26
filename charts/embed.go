// SPDX-License-Identifier: Apache-2.0

// Package charts holds the Helm chart, which is the one place that CRDs, RBAC
// and webhook configurations come from: the program that installs them, and the
// tests, read them here.
//
// It must not import Helm, which is many times larger than the product.
package charts

import (
	"embed"
	"fmt"
	"io/fs"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// FS holds the chart, in the folder credence.
//
//go:embed all:credence
var FS embed.FS

// CRDs returns the CRDs of the chart as controller-gen wrote them, without the
// labels and annotations that the chart's template adds, in the order of their
// file names.
func CRDs() ([]*apiextensionsv1.CustomResourceDefinition, error) {
	paths, err := fs.Glob(FS, "credence/files/crds/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("finding the CRDs: %w", err)
	}
	crds := make([]*apiextensionsv1.CustomResourceDefinition, 0, len(paths))
	for _, path := range paths {
		content, err := FS.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading a CRD: %w", err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(content, crd); err != nil {
			return nil, fmt.Errorf("parsing %s: %w", path, err)
		}
		crds = append(crds, crd)
	}
	return crds, nil
}
