// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestNothingIsTold: what is another department's does not exist for a tenant, however
// he asks: by a pod, by a workload, by a credential of his own with the name.
func TestNothingIsTold(t *testing.T) {
	there := wide("sales-database", "sales-database-key", "sales", system)
	there.Spec.DisplayName = "Sales database"
	made(t, source(system, "sales-database-key", "sales"), there)
	copyOf(t, teamB, "sales-database")
	tenant := as(t, tenant)
	said := func(name string) string {
		err := tenant.Create(t.Context(), pod("asks", v1alpha1.AnnotationCredentials, name))
		if !apierrors.IsForbidden(err) {
			t.Fatalf("%s: %v", name, err)
		}
		return strings.ReplaceAll(err.Error(), name, "NAME")
	}
	// One that is there for others, one that is nowhere, and one that is nearly called like it.
	if one, other, near := said("sales-database"), said("nowhere-database"), said("sales-databas"); one != other || strings.Contains(near, "sales") {
		t.Errorf("of one that is there:\n%s\nof one that is not:\n%s\nof one that is nearly there:\n%s", one, other, near)
	}
	same := wide("sales-database", "own", "project", teamA)
	same.Spec.DisplayName = "Sales database"
	if err := tenant.Create(t.Context(), same, client.DryRunAll); err != nil {
		t.Errorf("a credential of the tenant's own with the name: %v", err)
	}
	// Who lacks the right to a scope is told of that alone, whether the names are free or not.
	dana := as(t, dana)
	refused := func(name, scope string) string {
		err := dana.Create(t.Context(), wide(name, "key", scope, system), client.DryRunAll)
		if !apierrors.IsForbidden(err) {
			t.Fatalf("%s: %v", name, err)
		}
		return strings.ReplaceAll(err.Error(), name, "NAME")
	}
	for _, scope := range []string{"sales", "cluster"} {
		if one, other := refused("sales-database", scope), refused("nowhere-database", scope); one != other {
			t.Errorf("in scope %s, of a name that is taken:\n%s\nof one that is free:\n%s", scope, one, other)
		}
	}
}
