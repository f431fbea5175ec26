// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"fmt"
	"testing"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/catalog"
)

// TestMaybeTaken: a status has room for 500 namespaces where another Secret has the
// name. Of those behind the last of them it tells nothing.
func TestMaybeTaken(t *testing.T) {
	for name, test := range map[string]struct {
		taken, pending int
		truncated      bool
		want           bool // of a namespace behind all others
	}{
		"cut":                     {taken: v1alpha1.MaxStatusNamespaces, truncated: true, want: true},
		"full, and complete":      {taken: v1alpha1.MaxStatusNamespaces},
		"others are cut":          {taken: 3, pending: v1alpha1.MaxStatusNamespaces, truncated: true},
		"nothing is taken or cut": {},
	} {
		t.Run(name, func(t *testing.T) {
			c := &v1alpha1.Credential{}
			for i := range test.taken {
				c.Status.TakenNamespaces = append(c.Status.TakenNamespaces, fmt.Sprintf("n%03d", i))
			}
			for i := range test.pending {
				c.Status.PendingNamespaces = append(c.Status.PendingNamespaces, fmt.Sprintf("p%03d", i))
			}
			c.Status.Namespaces.Truncated = test.truncated
			entry := catalog.NewEntry(c)
			if got := entry.MaybeTaken("z"); got != test.want {
				t.Errorf("behind the last it says %t", got)
			}
			if entry.MaybeTaken("a") || entry.MaybeTaken("n001") {
				t.Error("of namespaces that the list would have, it is not sure")
			}
		})
	}
}
