// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"fmt"
	"testing"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/catalog"
)

// TestSecretIn: a status has room for 500 namespaces where another Secret has the
// name. Of those behind the last of them it tells nothing.
func TestSecretIn(t *testing.T) {
	for name, test := range map[string]struct {
		taken, pending int
		truncated      bool
		want           catalog.SecretState // of a namespace behind all others
	}{
		"cut":                     {taken: v1alpha1.MaxStatusNamespaces, truncated: true, want: catalog.SecretMaybeTaken},
		"full, and complete":      {taken: v1alpha1.MaxStatusNamespaces, want: catalog.SecretReady},
		"others are cut":          {taken: 3, pending: v1alpha1.MaxStatusNamespaces, truncated: true, want: catalog.SecretReady},
		"nothing is taken or cut": {want: catalog.SecretReady},
	} {
		t.Run(name, func(t *testing.T) {
			c := &v1alpha1.Credential{}
			want := map[string]catalog.SecretState{"a": catalog.SecretReady, "z": test.want}
			for i := range test.taken {
				namespace := fmt.Sprintf("n%03d", i)
				c.Status.TakenNamespaces = append(c.Status.TakenNamespaces, namespace)
				want[namespace] = catalog.SecretTaken
			}
			for i := range test.pending {
				namespace := fmt.Sprintf("p%03d", i)
				c.Status.PendingNamespaces = append(c.Status.PendingNamespaces, namespace)
				want[namespace] = catalog.SecretPending
			}
			c.Status.Namespaces.Truncated = test.truncated
			entry := catalog.NewEntry(c)
			for namespace, want := range want {
				if got := entry.SecretIn(namespace); got != want {
					t.Errorf("in %s it is %d, and should be %d", namespace, got, want)
				}
			}
		})
	}
}
