// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Read returns the kind that a WorkloadKind tells of. Its resource is not known.
func Read(spec *v1alpha1.WorkloadKindSpec) (Kind, error) {
	group, version, ok := strings.Cut(spec.APIVersion, "/")
	if !ok {
		return Kind{}, fmt.Errorf("spec.apiVersion is %q, and must be <group>/<version>", spec.APIVersion)
	}
	kind := Kind{Group: group, Versions: []string{version}, Kind: spec.Kind, Carries: true}
	for _, text := range spec.PodTemplatePaths {
		path, err := ParsePath(text)
		if err != nil {
			return Kind{}, fmt.Errorf("spec.podTemplatePaths has %q: %w", text, err)
		}
		kind.Paths = append(kind.Paths, path)
	}
	return kind, nil
}

// Claim is that a WorkloadKind tells of a kind.
type Claim struct {
	// Name is that of the WorkloadKind.
	Name    string
	Created time.Time
	Kind    Kind
}

// before orders the claims to one kind: the oldest has it.
func before(a, b Claim) int {
	return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Name, b.Name))
}

// Registry are the kinds that are known: those of the tables, and those that
// WorkloadKinds tell of. It is safe for concurrent use.
type Registry struct {
	mu     sync.RWMutex
	claims map[string]Claim // by name
}

// Set takes in what a WorkloadKind says.
func (r *Registry) Set(claim Claim) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.claims == nil {
		r.claims = map[string]Claim{}
	}
	r.claims[claim.Name] = claim
}

// Remove takes in that a WorkloadKind is gone, or says nothing any more.
func (r *Registry) Remove(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.claims, name)
}

// Of returns the kind that an object is of.
func (r *Registry) Of(apiVersion, kind string) (Kind, bool) {
	if known, ok := KindOf(apiVersion, kind); ok {
		return known, true
	}
	group, _, _ := strings.Cut(apiVersion, "/")
	claim, ok := r.Holder(group, kind)
	return claim.Kind, ok
}

// Holder returns whose claim to a kind counts, of those of WorkloadKinds.
func (r *Registry) Holder(group, kind string) (Claim, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var claims []Claim
	for _, claim := range r.claims {
		if claim.Kind.Is(group, kind) {
			claims = append(claims, claim)
		}
	}
	if len(claims) == 0 {
		return Claim{}, false
	}
	return slices.MinFunc(claims, before), true
}
