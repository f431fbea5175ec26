// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"github.com/credence-dev/credence/api/v1alpha1"
)

// Extent is a scope from the place that an object lives in: which projects it
// covers, today's and later ones.
type Extent struct {
	Scope v1alpha1.Scope
	Home  Place
}

// Relation is how one extent lies to another.
type Relation int

const (
	// Apart means that no project is ever in both.
	Apart Relation = iota
	// Narrower means that the other covers every project of this one, and more.
	Narrower
	// Equal means that both cover the same projects.
	Equal
	// Wider means that this one covers every project of the other, and more.
	Wider
)

// Fits says whether the place is one for objects of the scope. Elsewhere an object
// covers nothing.
func (e Extent) Fits() bool { return fits(e.Scope, e.Home) }

// RelationTo says how the extent lies to another. Two extents never overlap in
// part: a project belongs to one department at most.
func (e Extent) RelationTo(other Extent) Relation {
	switch {
	case !e.Fits() || !other.Fits():
		return Apart
	case e.contains(other) && other.contains(e):
		return Equal
	case e.contains(other):
		return Wider
	case other.contains(e):
		return Narrower
	}
	return Apart
}

// Inside returns the place from which names are looked up inside an object of the
// extent: the project's, or one that stands for every project of a department or of
// the cluster, of which only the department is known. Nothing that covers less than
// the extent is visible from there.
func (e Extent) Inside() Place {
	if e.Scope.Level == v1alpha1.ScopeProject {
		return e.Home
	}
	return Place{Project: "*", Department: e.department()}
}

// contains says whether the extent covers all that another does. Both fit.
func (e Extent) contains(other Extent) bool {
	switch e.Scope.Level {
	case v1alpha1.ScopeProject:
		return other.Scope.Level == v1alpha1.ScopeProject && other.Home.Namespace == e.Home.Namespace
	case v1alpha1.ScopeDepartment:
		return e.Scope.Department != "" && other.department() == e.Scope.Department
	case v1alpha1.ScopeCluster:
		return true
	}
	return false
}

// department is the department that all of the extent lies in, if there is one.
func (e Extent) department() string {
	if e.Scope.Level == v1alpha1.ScopeProject {
		return e.Home.Department
	}
	return e.Scope.Department
}
