// SPDX-License-Identifier: Apache-2.0

//go:build !race

package catalog_test

import (
	"fmt"
	"testing"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
)

// TestNoAllocations holds that what is asked on the admission path costs no
// memory. The race detector allocates on its own.
func TestNoAllocations(t *testing.T) {
	c := company()
	for i := range 1000 {
		c.Set(entry(system, fmt.Sprintf("c-%d", i), cluster, login("quay.io", "*.example.com")))
	}
	p := place(t, c, "team-a")
	image, _ := credential.ParseImage("registry.example.com/team/app:v1")
	var served int
	count := func(e *catalog.Entry) {
		if _, ok := e.Serves(image); ok {
			served++
		}
	}
	for name, ask := range map[string]func(){
		"Place":          func() { c.Place("team-a") },
		"Lookup":         func() { c.Lookup(p, "c-500") },
		"Lookup of none": func() { c.Lookup(p, "none") },
		"PullCandidates": func() { c.PullCandidates(p, count) },
		"Changed":        func() { c.Changed() },
	} {
		if allocations := testing.AllocsPerRun(20, ask); allocations > 0 {
			t.Errorf("%s makes %v allocations", name, allocations)
		}
	}
	if served == 0 {
		t.Error("no candidate serves the image")
	}
}
