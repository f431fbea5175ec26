// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"regexp"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
)

// conditionOf matches what picks one condition of a list.
var conditionOf = regexp.MustCompile(`\[\?\(@\.type=="(Ready|InUse)"\)\]`)

// TestPrinterColumns: what kubectl prints of an object of ours is there. Of every
// kind it says whether it is ready, and why not.
func TestPrinterColumns(t *testing.T) {
	for _, plural := range plurals(t) {
		crd, root := readCRD(t, plural)
		columns := crd.Spec.AdditionalPrinterColumns
		if len(columns) == 0 {
			columns = crd.Spec.Versions[0].AdditionalPrinterColumns
		}
		named := map[string]bool{}
		for _, column := range columns {
			named[column.Name] = true
			path := conditionOf.ReplaceAllString(column.JSONPath, "")
			at := *root
			for name := range strings.SplitSeq(strings.TrimPrefix(path, "."), ".") {
				next, ok := at.Properties[name]
				if !ok && at.Items != nil {
					next, ok = at.Items.Schema.Properties[name]
				}
				if !ok && !strings.HasPrefix(path, ".metadata.") {
					t.Errorf("%s: column %s: there is no %s (%s)", plural, column.Name, name, column.JSONPath)
				}
				at = next
			}
			if !strings.HasPrefix(path, ".metadata.") && at.Type != column.Type && column.Type != "date" {
				t.Errorf("%s: column %s is of type %s, and the field of type %s", plural, column.Name, column.Type, at.Type)
			}
		}
		wanted := []string{"Ready", "Reason", "Age"}
		if crd.Spec.Names.Kind == "Credential" { // whose state says it
			wanted = []string{"Type", "Scope", "State", "Reason", "Used by", "Age", "Expires"}
		}
		for _, want := range wanted {
			if !named[want] {
				t.Errorf("%s has no column %s", plural, want)
			}
		}
		names := crd.Spec.Names
		if len(names.ShortNames) != 1 || len(names.Categories) != 1 || names.Categories[0] != "credence" {
			t.Errorf("%s has the short names %q and is in the categories %q", plural, names.ShortNames, names.Categories)
		}
		if (crd.Spec.Scope == apiextensions.ClusterScoped) != (names.Kind == "WorkloadKind") {
			t.Errorf("%s are %s", plural, crd.Spec.Scope)
		}
	}
}
