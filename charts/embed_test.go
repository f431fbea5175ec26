// SPDX-License-Identifier: Apache-2.0

package charts_test

import (
	"io/fs"
	"testing"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/charts"
)

func TestCRDs(t *testing.T) {
	crds, err := charts.CRDs()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for _, crd := range crds {
		if crd.Spec.Group != v1alpha1.Group {
			t.Errorf("%s is of the group %q, want %q", crd.Name, crd.Spec.Group, v1alpha1.Group)
		}
		kinds[crd.Spec.Names.Kind] = true
	}
	if !kinds["Credential"] {
		t.Errorf("no CRD of Credential among %v", kinds)
	}
}

func TestChartIsWhole(t *testing.T) {
	for _, file := range []string{"Chart.yaml", "values.yaml", "values.schema.json", "templates/_helpers.tpl"} {
		if _, err := fs.Stat(charts.FS, "credence/"+file); err != nil {
			t.Error(err)
		}
	}
}
