// SPDX-License-Identifier: Apache-2.0

package rights

import (
	"context"
	"errors"
	"fmt"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

func TestRights(t *testing.T) {
	if err := inForce(t.Context(), as(t, "jane", writers), defaultKeys); err != nil {
		t.Fatal(err)
	}
	collected := collectGarbage(t) // which takes a while
	fixtures(t)
	t.Run("policies are well typed", wellTyped)
	t.Run("labels of namespaces", func(t *testing.T) { labelsHold(t, defaultKeys, "labels-") })
	t.Run("credentials", credentialsHold)
	t.Run("assets", assetsHold)
	t.Run("widening", widening)
	t.Run("force-delete", forceDeleteHolds)
	t.Run("in a namespace that is leaving", leavingHolds)
	t.Run("the controller", controllerWritesFinalizers)
	t.Run("Kubernetes' own controllers", othersClearUp)
	t.Run("a namespace goes with what is in it", namespaceGoes)
	t.Run("roles", rolesHold)
	t.Run("the documented example", documentedExampleWorks)
	t.Run("labels of one's own", otherLabelsHold)
	t.Run("garbage is collected", collected)
}

// inForce waits until each policy refuses something: the API server learns of
// policies a moment after they are made.
func inForce(ctx context.Context, jane client.Client, keys keys) error {
	for r, attempt := range map[right]func(context.Context) error{
		"propagate clusters/local": func(ctx context.Context) error {
			return jane.Create(ctx, credential("default", "canary", "cluster"), client.DryRunAll)
		},
		"forcedelete projects": func(ctx context.Context) error {
			return jane.Create(ctx, forced(credential("default", "canary", "project"), "true"), client.DryRunAll)
		},
		"join projects/canary": func(ctx context.Context) error {
			return jane.Create(ctx, namespace("canary", map[string]string{keys.project: "canary"}), client.DryRunAll)
		},
	} {
		if err := eventually(ctx, fmt.Sprintf("the policy for %q is in force", r), func(ctx context.Context) error {
			return judge(attempt(ctx), []right{r})
		}); err != nil {
			return err
		}
	}
	return nil
}

// wellTyped asks what Kubernetes has to say about the types in our expressions.
func wellTyped(t *testing.T) {
	for _, name := range []string{"credence-rights-propagate", "credence-rights-join", "credence-rights-forcedelete"} {
		policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
		if err := eventually(t.Context(), name+" is checked", func(ctx context.Context) error {
			if err := admin.Get(ctx, client.ObjectKey{Name: name}, policy); err != nil {
				return err
			}
			if policy.Status.ObservedGeneration != policy.Generation {
				return errors.New("not yet")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if checking := policy.Status.TypeChecking; checking != nil && len(checking.ExpressionWarnings) > 0 {
			t.Errorf("%s: %v", name, checking.ExpressionWarnings)
		}
	}
}

// controllerWritesFinalizers tries what the controller does to credentials, as its
// service account with the rights of the chart.
func controllerWritesFinalizers(t *testing.T) {
	controller := as(t, "system:serviceaccount:"+local.InstallNamespace+":credence-controller")
	for name := range scopes {
		found := credential(scopes[name].namespace, name, scopes[name].scope)
		if err := mergePatch(found, func(c *v1alpha1.Credential) { c.Finalizers = []string{v1alpha1.Finalizer} })(t.Context(), controller); err != nil {
			t.Errorf("%s: adding a finalizer: %v", name, err)
		}
		going := credential(scopes[name].namespace, name+"-going", scopes[name].scope)
		if err := mergePatch(going, func(c *v1alpha1.Credential) { c.Finalizers = nil })(t.Context(), controller); err != nil {
			t.Errorf("%s: removing a finalizer: %v", name, err)
		}
		rename := mergePatch(found, func(c *v1alpha1.Credential) { c.Spec.DisplayName = "Other" })
		if err := judge(rename(t.Context(), controller), scopes[name].needs); err != nil {
			t.Errorf("%s: renaming: %v", name, err)
		}
	}
}

// othersClearUp tries what the garbage collector and the namespace controller do,
// and that their names are no key to the rest.
func othersClearUp(t *testing.T) {
	for user, exempt := range map[string]bool{
		"system:serviceaccount:kube-system:generic-garbage-collector": true,
		"system:serviceaccount:kube-system:namespace-controller":      true,
		"system:kube-controller-manager":                              true,
		"system:serviceaccount:kube-system:default":                   false,
		"system:serviceaccount:team-a:namespace-controller":           false,
		"generic-garbage-collector":                                   false,
	} {
		c := as(t, user, writers)
		for name, s := range scopes {
			lacking := s.needs
			if exempt {
				lacking = nil
			}
			if err := judge(c.Delete(t.Context(), credential(s.namespace, name, s.scope), client.DryRunAll), lacking); err != nil {
				t.Errorf("%s deletes %s: %v", user, name, err)
			}
			if err := judge(update(credential(s.namespace, name, s.scope), func(c *v1alpha1.Credential) {
				c.OwnerReferences = nobody
			})(t.Context(), c), lacking); err != nil {
				t.Errorf("%s changes the owner of %s: %v", user, name, err)
			}
		}
		label := relabel(teamA, defaultKeys.of(labels{project: "b", department: "research"}), "")
		if err := judge(label(t.Context(), c), []right{"join projects/a", "join projects/b"}); err != nil {
			t.Errorf("%s changes a label: %v", user, err)
		}
	}
}

// namespaceGoes deletes a namespace with credentials of every scope in it, which the
// namespace controller then does.
func namespaceGoes(t *testing.T) {
	create(t, namespace("going", defaultKeys.of(labels{project: "a", home: "research"})))
	for _, scope := range []string{"cluster", "research", "project"} {
		create(t, credential("going", scope, scope))
		for kind := range assetKinds {
			create(t, assetLike(kind, credential("going", scope, scope)))
		}
	}
	if err := as(t, "jane", writers).Delete(t.Context(), namespace("going", nil)); err != nil {
		t.Fatal(err)
	}
	if err := eventually(t.Context(), "the namespace is gone", gone(namespace("going", nil))); err != nil {
		t.Error(err)
	}
}

// collectGarbage deletes the owner of credentials, and returns what waits until they
// are gone. The collector looks for new kinds twice a minute.
func collectGarbage(t *testing.T) func(*testing.T) {
	create(t, namespace("garbage", nil))
	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "garbage", Name: "owner"}}
	create(t, owner)
	for _, scope := range []string{"cluster", "research", "project"} {
		owned := credential("garbage", scope, scope)
		owned.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}}
		create(t, owned)
	}
	if err := admin.Delete(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T) {
		for _, scope := range []string{"cluster", "research", "project"} {
			if err := eventually(t.Context(), scope+" is collected", gone(credential("garbage", scope, scope))); err != nil {
				t.Error(err)
			}
		}
	}
}

func gone(object client.Object) func(context.Context) error {
	return func(ctx context.Context) error {
		err := admin.Get(ctx, client.ObjectKeyFromObject(object), object)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("it is still there"), err)
	}
}

// otherLabelsHold upgrades to labels that a cluster has had before.
func otherLabelsHold(t *testing.T) {
	if err := install(t.Context(), map[string]any{
		"labels": map[string]any{"project": otherKeys.project, "department": otherKeys.department},
	}); err != nil {
		t.Fatal(err)
	}
	jane := as(t, "jane", writers)
	if err := inForce(t.Context(), jane, otherKeys); err != nil {
		t.Fatal(err)
	}
	labelsHold(t, otherKeys, "others-")
	if err := jane.Create(t.Context(), namespace("free", map[string]string{
		defaultKeys.project: "a", defaultKeys.department: "research",
	}), client.DryRunAll); err != nil {
		t.Errorf("labels that mean nothing any more are held: %v", err)
	}
	create(t, namespace("queue", map[string]string{otherKeys.project: "b", defaultKeys.project: "a"}))
	hold(t, map[string]operation{
		"force-delete": {[]right{"forcedelete projects/b"}, func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, forced(credential("queue", "new", "project"), "keep"), client.DryRunAll)
		}},
	})
}
