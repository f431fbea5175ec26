// SPDX-License-Identifier: Apache-2.0

package own

import (
	"fmt"
	"slices"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/credential/words"
	"github.com/credence-dev/credence/injector/remark"
)

// maxPlaces bounds how many places are listed in one warning.
const maxPlaces = 3

// Change is which of an object's names are new. Others are not looked at: an object
// that has a rival already can be changed in every other way.
type Change struct {
	Name, DisplayName bool
	// Widened says that the scope is another than before, which can only be a wider
	// one.
	Widened bool
}

// Changed says which names are new. At a creation old is nil. A scope that was
// widened makes both names new where they were not.
func Changed(old *catalog.Claim, claim catalog.Claim) Change {
	if old == nil || old.Scope != claim.Scope {
		return Change{Name: true, DisplayName: true, Widened: old != nil}
	}
	return Change{DisplayName: old.DisplayName != claim.DisplayName}
}

// Refusal is why a name cannot be had.
type Refusal struct {
	// Field is the one that is at fault.
	Field string
	// Message is one sentence. It tells of nothing that the object's own project does
	// not see.
	Message string
}

// Refuses says whether a rival keeps the claim from having its names: one that
// covers all that the claim does and has the same name, or the same display name.
func (c Change) Refuses(claim catalog.Claim, rival catalog.Rival) bool {
	return rival.Relation != credential.Narrower &&
		(c.Name && rival.Name == claim.Name || c.DisplayName && rival.DisplayName == claim.DisplayName)
}

// Refuse says why the names of a claim are not free, nil if they are. The kind is
// what one object is called in messages.
func (c Change) Refuse(kind string, claim catalog.Claim, rivals []catalog.Rival) *Refusal {
	at := slices.IndexFunc(rivals, func(rival catalog.Rival) bool { return c.Refuses(claim, rival) })
	if at < 0 {
		return nil
	}
	rival := rivals[at]
	refusal := &Refusal{Field: "spec.displayName"}
	name := fmt.Sprintf("the display name %q", claim.DisplayName)
	if c.Name && rival.Name == claim.Name {
		refusal.Field, name = "metadata.name", fmt.Sprintf("the name %q", claim.Name)
	}
	if rival.Deleting {
		refusal.Message = fmt.Sprintf("%s is taken until %s is gone, which is being deleted; choose another, or try again then", name, title(kind, rival))
	} else {
		refusal.Message = fmt.Sprintf("%s is taken: %s covers the same projects; choose another", name, title(kind, rival))
	}
	return refusal
}

// Warn tells of the narrower objects that have a name of the claim, and of names
// that mislead.
func (c Change) Warn(kind string, claim catalog.Claim, rivals []catalog.Rival, warnings *remark.Warnings) {
	var narrower, shown []catalog.Rival
	for _, rival := range rivals {
		switch {
		case rival.Relation != credential.Narrower:
		case c.Name && rival.Name == claim.Name:
			narrower = append(narrower, rival)
		case c.DisplayName && rival.DisplayName == claim.DisplayName:
			shown = append(shown, rival)
		}
	}
	if len(narrower) > 0 {
		warnings.Add("a narrower %s %q is used instead of this one in %s", kind, claim.Name, places(narrower))
	}
	if len(shown) > 0 {
		warnings.Add("a narrower %s is shown by the same name in %s: %q", kind, places(shown), claim.DisplayName)
	}
	if warning := c.misleading(kind, claim, rivals); warning != "" {
		warnings.Add("%s", warning)
	}
}

// misleading tells of the first object whose name is what the claim is shown as, or
// the other way: who reads one and writes it gets the other.
func (c Change) misleading(kind string, claim catalog.Claim, rivals []catalog.Rival) string {
	for _, rival := range rivals {
		switch {
		case rival.Name == claim.Name || rival.DisplayName == claim.DisplayName:
		case c.DisplayName && rival.Name == claim.DisplayName:
			return fmt.Sprintf("workloads that write %q get %s; this one is only shown as that", rival.Name, title(kind, rival))
		case c.Name && rival.DisplayName == claim.Name:
			return fmt.Sprintf("%s is shown as %q, which workloads write to get this one", title(kind, rival), claim.Name)
		}
	}
	return ""
}

// title names a rival that covers the claim's projects, or that the claim covers.
func title(kind string, rival catalog.Rival) string {
	where := "of this namespace"
	switch {
	case rival.Scope.Level == v1alpha1.ScopeProject && rival.Relation == credential.Equal:
	case rival.Scope.Level == v1alpha1.ScopeProject:
		where = "of namespace " + rival.Namespace
	case rival.Scope.Level == v1alpha1.ScopeDepartment:
		where = "of department " + rival.Scope.Department
	default:
		where = "of the cluster"
	}
	return fmt.Sprintf("%s %q %s", kind, rival.Name, where)
}

// places lists where objects are used, a few of them.
func places(rivals []catalog.Rival) string {
	list := make([]string, len(rivals))
	for i, rival := range rivals {
		if rival.Scope.Level == v1alpha1.ScopeDepartment {
			list[i] = "department " + rival.Scope.Department
		} else {
			list[i] = "namespace " + rival.Namespace
		}
	}
	return words.Few(list, maxPlaces)
}
