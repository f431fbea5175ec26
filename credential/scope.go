// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"github.com/credence-dev/credence/api/v1alpha1"
)

// kubeSystem is never a project, a home, or a place for sources.
const kubeSystem = "kube-system"

// Layout says how a cluster is divided: which namespaces have a part of their
// own, and which labels make projects and departments.
type Layout struct {
	// SystemNamespace is the home of cluster- and department-scoped credentials
	// and their sources.
	SystemNamespace string
	// InstallNamespace is where Credence runs. No credential lives there.
	InstallNamespace string
	// ProjectLabel and DepartmentLabel are the keys of the labels on namespaces.
	ProjectLabel    string
	DepartmentLabel string
}

// DefaultLayout is the layout of an installation with default settings.
func DefaultLayout() Layout {
	return Layout{
		SystemNamespace:  "credence-credentials",
		InstallNamespace: "credence",
		ProjectLabel:     v1alpha1.LabelProject,
		DepartmentLabel:  v1alpha1.LabelDepartment,
	}
}

// Place is what a namespace is to Credence.
type Place struct {
	// Namespace is its name.
	Namespace string
	// Project is the project's name; empty for a namespace that is none.
	Project string
	// Department is the id of the department that the project belongs to, if any.
	Department string
	// Home is the id of the department whose home this is, if any.
	Home string
	// System marks the system namespace.
	System bool
}

// IsProject says whether workloads here may use credentials.
func (p Place) IsProject() bool { return p.Project != "" }

// HoldsCredentials says whether credentials may live here at all.
func (p Place) HoldsCredentials() bool { return p.System || p.Home != "" || p.IsProject() }

// Place reads a namespace's labels. The system namespace is nothing else, a home
// is not also a project (who may edit a project could otherwise edit its
// department's credentials), and the install namespace and kube-system are
// nothing at all.
func (l Layout) Place(namespace string, labels map[string]string) Place {
	place := Place{Namespace: namespace}
	switch home := labels[v1alpha1.LabelDepartmentHome]; {
	case namespace == l.SystemNamespace:
		place.System = true
	case l.Excludes(namespace):
	case home != "":
		place.Home = home
	default:
		place.Project = labels[l.ProjectLabel]
		if place.Project != "" {
			place.Department = labels[l.DepartmentLabel]
		}
	}
	return place
}

// Excludes says whether nothing of Credence's ever happens in a namespace,
// whatever its labels.
func (l Layout) Excludes(namespace string) bool {
	return namespace == l.InstallNamespace || namespace == kubeSystem
}

// Covers says whether a scope reaches from the place an object lives in to a
// project. It is false for an object in a place that does not fit its scope.
func Covers(scope v1alpha1.Scope, home, project Place) bool {
	if !project.IsProject() {
		return false
	}
	switch scope.Level {
	case v1alpha1.ScopeProject:
		return home.Namespace == project.Namespace
	case v1alpha1.ScopeDepartment:
		return scope.Department != "" && scope.Department == project.Department && fits(scope, home)
	case v1alpha1.ScopeCluster:
		return fits(scope, home)
	}
	return false
}

// fits says whether an object of this scope may live in a place.
func fits(scope v1alpha1.Scope, home Place) bool {
	switch scope.Level {
	case v1alpha1.ScopeProject:
		return home.IsProject()
	case v1alpha1.ScopeDepartment:
		return home.System || (home.Home != "" && home.Home == scope.Department)
	case v1alpha1.ScopeCluster:
		return home.System
	}
	return false
}
