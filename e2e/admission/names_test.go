// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

const systemNamespace = "credence-credentials"

// department makes a home and a project of a department.
func department(t *testing.T, id string) (home, member string) {
	t.Helper()
	home, member = id+"-home", id+"-project"
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home, Labels: map[string]string{v1alpha1.LabelDepartmentHome: id}}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: member, Labels: map[string]string{v1alpha1.LabelProject: member, v1alpha1.LabelDepartment: id}}})
	return home, member
}

// scoped is a credential of the cluster, or of a department if one is given.
func scoped(namespace, name, department string) *v1alpha1.Credential {
	c := genericCredential(namespace, name)
	c.Spec.Scope = v1alpha1.Scope{Level: v1alpha1.ScopeCluster}
	if department != "" {
		c.Spec.Scope = v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: department}
	}
	return c
}

func displayed(c *v1alpha1.Credential, as string) *v1alpha1.Credential {
	c.Spec.DisplayName = as
	return c
}

// refused wants an error of an invalid field, with that message.
func refused(t *testing.T, err error, message string) {
	t.Helper()
	if !apierrors.IsInvalid(err) || !strings.HasSuffix(err.Error(), "denied the request: "+message) {
		t.Errorf("the error is %v, want %s", err, message)
	}
}

// known waits until the webhook has seen a credential: a narrower one with its
// display name is refused.
func known(t *testing.T, c *v1alpha1.Credential, project string) {
	t.Helper()
	probe := displayed(genericCredential(project, "probe"), c.Spec.DisplayName)
	err := local.Poll(t.Context(), "the display name to be known", func(ctx context.Context) (bool, error) {
		return apierrors.IsInvalid(cluster.Client().Create(ctx, probe.DeepCopy(), client.DryRunAll)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A narrower credential is not created over a wider one, however shortly after it.
func TestNoNarrowerOverWider(t *testing.T) {
	home, member := department(t, "names")
	project(t, "names-elsewhere")
	for i := range 5 {
		name := fmt.Sprintf("names-%d", i)
		create(t, scoped(systemNamespace, name, ""))
		message := fmt.Sprintf("the name %q is taken: credential %q of the cluster covers the same projects; choose another", name, name)
		refused(t, cluster.Client().Create(t.Context(), genericCredential(member, name)), message)
		refused(t, cluster.Client().Create(t.Context(), scoped(home, name, "names")), message)

		name = fmt.Sprintf("names-of-department-%d", i)
		create(t, scoped(systemNamespace, name, "names"))
		message = fmt.Sprintf("the name %q is taken: credential %q of department names covers the same projects; choose another", name, name)
		refused(t, cluster.Client().Create(t.Context(), genericCredential(member, name)), message)
		refused(t, cluster.Client().Create(t.Context(), scoped(home, name, "names")), message)
		create(t, genericCredential("names-elsewhere", name), genericCredential("default", name))
	}
	// A name is free as soon as nobody has it.
	gone := genericCredential("default", "names-of-department-0")
	if err := cluster.Client().Create(t.Context(), gone.DeepCopy()); !apierrors.IsAlreadyExists(err) {
		t.Errorf("the same once more: %v", err)
	}
}

// A wider one over narrower ones is created, and its author is told.
func TestWiderOverNarrower(t *testing.T) {
	home, member := department(t, "over")
	project(t, "over-other")
	create(t, genericCredential(member, "over"), genericCredential("over-other", "over"))
	jane := as(t, "jane")
	warned := func(c *v1alpha1.Credential, want string) {
		t.Helper()
		err := local.Poll(t.Context(), "the warning", func(ctx context.Context) (bool, error) {
			jane.warnings()
			err := jane.Create(ctx, c.DeepCopy(), client.DryRunAll)
			return cmp.Equal(jane.warnings(), []string{want}), err
		})
		if err != nil {
			t.Errorf("%v: want %s", err, want)
		}
	}
	warned(scoped(home, "over", "over"), `a narrower credential "over" is used instead of this one in namespace over-project`)
	warned(scoped(systemNamespace, "over", ""), `a narrower credential "over" is used instead of this one in namespace over-other, namespace over-project`)
	create(t, scoped(systemNamespace, "over", ""))
}

// What people see is unique like what workloads write, also after a rename.
func TestDisplayNames(t *testing.T) {
	_, member := department(t, "shown")
	wide := displayed(scoped(systemNamespace, "shown-wide", "shown"), "Shown by all")
	create(t, wide)
	known(t, wide, member)
	const taken = `the display name "Shown by all" is taken: credential "shown-wide" of department shown covers the same projects; choose another`
	refused(t, cluster.Client().Create(t.Context(), displayed(genericCredential(member, "shown"), "Shown by all")), taken)

	c := displayed(genericCredential(member, "shown"), "Shown otherwise")
	create(t, c)
	rename := func(to string) error {
		patch := fmt.Appendf(nil, `{"spec":{"displayName":%q}}`, to)
		return cluster.Client().Patch(t.Context(), c.DeepCopy(), client.RawPatch(types.MergePatchType, patch))
	}
	refused(t, rename("Shown by all"), taken)
	if err := rename("Shown so"); err != nil {
		t.Errorf("a rename to what is free: %v", err)
	}
	widen := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"scope":{"level":"cluster","department":null}}}`))
	create(t, displayed(scoped(systemNamespace, "shown-cluster", ""), "Shown by the cluster"))
	other := displayed(scoped(systemNamespace, "shown-widened", "shown-elsewhere"), "Shown when widened")
	create(t, other)
	if err := cluster.Client().Patch(t.Context(), other, widen); err != nil {
		t.Errorf("widening: %v", err)
	}
	known(t, other, member)
}

// While Credence is dead credentials are not created and not changed; but their
// status is, and they can go.
func TestCredentialsDuringAnOutage(t *testing.T) {
	home, member := department(t, "own-outage")
	source := genericSource(home, "key")
	source.Labels["run.ai/department"] = "own-outage"
	create(t, source, scoped(home, "key", "own-outage")) // one of a project has no finalizer
	ready(t, home, "key")
	cluster.KillCredence()
	if err := cluster.Client().Create(t.Context(), genericCredential(member, "other")); !apierrors.IsInternalError(err) {
		t.Errorf("a credential was created during an outage: %v", err)
	}
	c := &v1alpha1.Credential{}
	if err := cluster.Client().Get(t.Context(), client.ObjectKey{Namespace: home, Name: "key"}, c); err != nil {
		t.Fatal(err)
	}
	if len(c.Finalizers) == 0 {
		t.Error("the credential has no finalizer, so that its removal is not tried")
	}
	if err := cluster.Client().Status().Patch(t.Context(), c, client.RawPatch(types.MergePatchType, []byte(`{"status":{"state":"Creating"}}`))); err != nil {
		t.Errorf("the status: %v", err)
	}
	if err := cluster.Client().Delete(t.Context(), c); err != nil {
		t.Errorf("deleting: %v", err)
	}
	if err := cluster.Client().Patch(t.Context(), c, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))); err != nil {
		t.Errorf("removing the finalizer: %v", err)
	}
	if err := cluster.Client().Get(t.Context(), client.ObjectKeyFromObject(c), c); !apierrors.IsNotFound(err) {
		t.Errorf("it is still there: %v", err)
	}
	if err := cluster.StartCredence(t.Context()); err != nil {
		t.Fatal(err)
	}
	create(t, genericCredential(member, "other"))
}
