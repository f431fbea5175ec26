// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"fmt"
	"strings"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Misplaced says why an object with an extent cannot be in its namespace, nil if it
// can. The word is what messages call the object, such as "credential".
func Misplaced(word, namespace string, extent Extent, layout Layout) *Problem {
	switch scope := extent.Scope; {
	case layout.Excludes(namespace):
		return problem(v1alpha1.ReasonNotAProject, "namespace %s never holds %ss; create the %s elsewhere", namespace, word, word)
	case !extent.Home.HoldsCredentials():
		return problem(v1alpha1.ReasonNotAProject,
			"namespace %s is not a project, not a department's home and not the system namespace; %s", namespace, whereItFits(word, scope, layout))
	case extent.Fits():
		return nil
	case scope.Level == v1alpha1.ScopeCluster:
		return problem(v1alpha1.ReasonWrongNamespace,
			"%s with cluster scope must be in the system namespace %s, not in %s", withArticle(word), layout.SystemNamespace, namespace)
	case scope.Level == v1alpha1.ScopeDepartment:
		return problem(v1alpha1.ReasonWrongNamespace,
			"%s of department %s must be in the system namespace %s or in the department's home (a namespace labelled %s=%s), not in %s",
			withArticle(word), scope.Department, layout.SystemNamespace, v1alpha1.LabelDepartmentHome, scope.Department, namespace)
	}
	return problem(v1alpha1.ReasonWrongNamespace,
		"%s with project scope must be in the project's namespace, and %s is not a project", withArticle(word), namespace)
}

// whereItFits says how to give an object a namespace that fits its scope.
func whereItFits(word string, scope v1alpha1.Scope, layout Layout) string {
	switch scope.Level {
	case v1alpha1.ScopeCluster:
		return fmt.Sprintf("create the %s in the system namespace %s", word, layout.SystemNamespace)
	case v1alpha1.ScopeDepartment:
		return fmt.Sprintf("label it %s=%s, or create the %s in the system namespace %s",
			v1alpha1.LabelDepartmentHome, scope.Department, word, layout.SystemNamespace)
	}
	return fmt.Sprintf("label it %s=<name>, or create the %s elsewhere", layout.ProjectLabel, word)
}

func withArticle(word string) string {
	if word != "" && strings.ContainsRune("aeiou", rune(word[0])) {
		return "an " + word
	}
	return "a " + word
}
