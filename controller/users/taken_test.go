// SPDX-License-Identifier: Apache-2.0

package users

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/usage"
)

// TestTakenNamespaces: where another Secret has the name, whoever refers to that does
// not use the credential.
func TestTakenNamespaces(t *testing.T) {
	s := newStage(t)
	var c v1alpha1.Credential
	if err := s.Cache.Get(t.Context(), key, &c); err != nil {
		t.Fatal(err)
	}
	c.Status.TakenNamespaces = []string{"a", "gone"}
	if _, err := s.Count(t.Context(), &c, nil); err != nil {
		t.Fatal(err)
	}
	want := []usage.Query{{Name: "key", Secret: "genericsecret-key", Namespaces: []string{"b"}}, {Name: "key", Namespaces: []string{"a"}}}
	if diff := cmp.Diff(want, s.index.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}
