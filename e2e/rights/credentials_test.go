// SPDX-License-Identifier: Apache-2.0

package rights

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

const (
	force = v1alpha1.AnnotationForceDelete
	held  = "example.com/hold" // a finalizer that nobody removes
)

// Where credentials of the tests live.
const (
	teamA   = "team-a"  // project a of department research
	home    = "home"    // that of department research
	plain   = "plain"   // no project
	leaving = "leaving" // project b, being deleted
)

// credential is one in a scope: "cluster", "project" or the id of a department.
func credential(namespace, name, scope string, finalizers ...string) *v1alpha1.Credential {
	c := &v1alpha1.Credential{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Finalizers: finalizers, Labels: map[string]string{"name": name}},
		Spec: v1alpha1.CredentialSpec{
			Type: v1alpha1.Generic, SecretRef: v1alpha1.SecretReference{Name: "source"}, Scope: v1alpha1.Scope{Level: v1alpha1.ScopeLevel(scope)},
		},
	}
	if scope != "cluster" && scope != "project" {
		c.Spec.Scope = v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: scope}
	}
	return c
}

func forced(c *v1alpha1.Credential, value string) *v1alpha1.Credential {
	c.Annotations = map[string]string{force: value}
	return c
}

// scopes are credentials that are there, and what changing them needs.
var scopes = map[string]struct {
	namespace, scope string
	needs            []right
}{
	"cluster":               {systemNamespace, "cluster", []right{"propagate clusters/local"}},
	"department":            {systemNamespace, "research", []right{"propagate departments/research"}},
	"department-at-home":    {home, "research", []right{"propagate departments/research"}},
	"foreign-department":    {home, "sales", []right{"propagate departments/sales"}},
	"cluster-where-none-is": {teamA, "cluster", []right{"propagate clusters/local"}},
	"project":               {teamA, "project", nil},
	"project-where-none-is": {plain, "project", nil},
}

// fixtures makes the namespaces and credentials that are tried on.
func fixtures(t *testing.T) {
	create(t,
		namespace(teamA, map[string]string{defaultKeys.project: "a", defaultKeys.department: "research"}),
		namespace(home, map[string]string{defaultKeys.home: "research"}),
		namespace(plain, nil),
		namespace(leaving, map[string]string{defaultKeys.project: "b"}))
	for name, s := range scopes {
		going := credential(s.namespace, name+"-going", s.scope, held)
		create(t, credential(s.namespace, name, s.scope), forced(credential(s.namespace, name+"-forced", s.scope), "true"), going)
		if err := admin.Delete(t.Context(), going); err != nil {
			t.Fatal(err)
		}
	}
	for _, scope := range []string{"cluster", "research", "project"} {
		create(t, credential(leaving, scope, scope, held))
	}
	leave(t, leaving)
}

// credentialsHold tries to create, change and delete credentials of every scope.
func credentialsHold(t *testing.T) {
	operations := map[string]operation{}
	for name, s := range scopes {
		found := credential(s.namespace, name, s.scope)
		going := credential(s.namespace, name+"-going", s.scope)
		for how, do := range map[string]func(context.Context, client.Client) error{
			"create": func(ctx context.Context, c client.Client) error {
				return c.Create(ctx, credential(s.namespace, "new", s.scope), client.DryRunAll)
			},
			"create under a generated name": func(ctx context.Context, c client.Client) error {
				generated := credential(s.namespace, "", s.scope)
				generated.GenerateName = "new-"
				return c.Create(ctx, generated, client.DryRunAll)
			},
			"create by applying": applyCredential(credential(s.namespace, "new", s.scope)),
			"change by applying": applyCredential(found),
			"rename":             update(found, func(c *v1alpha1.Credential) { c.Spec.DisplayName = "Other" }),
			"label":              update(found, func(c *v1alpha1.Credential) { c.Labels = map[string]string{"a": "b"} }),
			"annotate":           update(found, func(c *v1alpha1.Credential) { c.Annotations = map[string]string{"a": "b"} }),
			"give an owner":      update(found, func(c *v1alpha1.Credential) { c.OwnerReferences = nobody }),
			"delete": func(ctx context.Context, c client.Client) error {
				return c.Delete(ctx, found.DeepCopy(), client.DryRunAll)
			},
			"delete what is held": func(ctx context.Context, c client.Client) error {
				return c.Delete(ctx, going.DeepCopy(), client.DryRunAll)
			},
			"delete a collection": func(ctx context.Context, c client.Client) error {
				return c.DeleteAllOf(ctx, &v1alpha1.Credential{}, client.InNamespace(s.namespace),
					client.MatchingLabels{"name": name}, &client.DeleteAllOfOptions{DeleteOptions: client.DeleteOptions{DryRun: []string{metav1.DryRunAll}}})
			},
			"rename what is being deleted": update(going, func(c *v1alpha1.Credential) { c.Spec.DisplayName = "Other" }),
		} {
			operations[name+", "+how] = operation{s.needs, do}
		}
		for how, do := range map[string]func(context.Context, client.Client) error{
			"change nothing":                    update(found, func(*v1alpha1.Credential) {}),
			"add a finalizer":                   update(found, func(c *v1alpha1.Credential) { c.Finalizers = []string{v1alpha1.Finalizer} }),
			"write the status":                  writeStatus(found),
			"remove the last finalizer":         update(going, func(c *v1alpha1.Credential) { c.Finalizers = nil }),
			"annotate what is being deleted":    update(going, func(c *v1alpha1.Credential) { c.Annotations = map[string]string{"a": "b"} }),
			"remove labels and finalizers then": update(going, func(c *v1alpha1.Credential) { c.Labels, c.Finalizers = nil, nil }),
		} {
			operations[name+", "+how] = operation{nil, do}
		}
	}
	hold(t, operations)
}

// widening tries what the schema allows to become of a scope.
func widening(t *testing.T) {
	widen := func(c *v1alpha1.Credential) { c.Spec.Scope = v1alpha1.Scope{Level: v1alpha1.ScopeCluster} }
	both := []right{"propagate departments/research", "propagate clusters/local"}
	hold(t, map[string]operation{
		"in the system namespace": {both, update(credential(systemNamespace, "department", "research"), widen)},
		"while it is being deleted": {
			both, update(credential(systemNamespace, "department-going", "research"), widen),
		},
	})
	err := update(credential(home, "department-at-home", "research"), widen)(t.Context(), as(t, "jane", writers, string(both[0]), string(both[1])))
	const want = "it can be widened to the cluster in the system namespace credence-credentials only; create another one there"
	if !apierrors.IsInvalid(err) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("at home, with both rights: the error is %v, want one that ends in %q", err, want)
	}
}

// forceDeleteHolds tries to set the annotation force-delete.
func forceDeleteHolds(t *testing.T) {
	forcing := map[string]right{
		"cluster": "forcedelete clusters/local", "department": "forcedelete departments/research", "department-at-home": "forcedelete departments/research",
		"project": "forcedelete projects/a", "project-where-none-is": "forcedelete projects",
	}
	operations := map[string]operation{}
	for name, forcedelete := range forcing {
		s := scopes[name]
		// Setting it is also a change, which needs its own right, but not of what is
		// being deleted.
		both := append([]right{forcedelete}, s.needs...)
		found, going := credential(s.namespace, name, s.scope), credential(s.namespace, name+"-going", s.scope)
		set := credential(s.namespace, name+"-forced", s.scope)
		annotate := func(value string) func(*v1alpha1.Credential) {
			return func(c *v1alpha1.Credential) { c.Annotations = map[string]string{force: value} }
		}
		for how, operation := range map[string]operation{
			"create with it": {both, func(ctx context.Context, c client.Client) error {
				return c.Create(ctx, forced(credential(s.namespace, "new", s.scope), "true"), client.DryRunAll)
			}},
			"set it":                          {both, update(found, annotate("true"))},
			"set it to keep":                  {both, update(found, annotate("keep"))},
			"set it to nothing":               {both, update(found, annotate(""))},
			"set it by a patch":               {both, patchCredential(found, `{"metadata": {"annotations": {"`+force+`": "true"}}}`)},
			"change it":                       {both, update(set, annotate("keep"))},
			"remove it":                       {s.needs, update(set, func(c *v1alpha1.Credential) { delete(c.Annotations, force) })},
			"rename what has it":              {s.needs, update(set, func(c *v1alpha1.Credential) { c.Spec.DisplayName = "Other" })},
			"set it while it is deleted":      {[]right{forcedelete}, update(going, annotate("true"))},
			"set it and remove the finalizer": {[]right{forcedelete}, update(going, func(c *v1alpha1.Credential) { annotate("true")(c); c.Finalizers = nil })},
			"set another":                     {s.needs, update(found, func(c *v1alpha1.Credential) { c.Annotations = map[string]string{force + "d": "true"} })},
		} {
			operations[name+", "+how] = operation
		}
	}
	hold(t, operations)
}

// leavingHolds tries what is in a namespace that is being deleted.
func leavingHolds(t *testing.T) {
	if err := eventually(t.Context(), "credentials are deleted with their namespace", func(ctx context.Context) error {
		return as(t, "jane", writers).Delete(ctx, credential(leaving, "cluster", "cluster"), client.DryRunAll)
	}); err != nil {
		t.Fatal(err)
	}
	operations := map[string]operation{}
	for scope, needs := range map[string][2][]right{
		"cluster":  {{"propagate clusters/local"}, {"forcedelete clusters/local"}},
		"research": {{"propagate departments/research"}, {"forcedelete departments/research"}},
		"project":  {nil, {"forcedelete projects/b"}},
	} {
		c := credential(leaving, scope, scope)
		operations["delete "+scope] = operation{nil, func(ctx context.Context, user client.Client) error {
			return user.Delete(ctx, c.DeepCopy(), client.DryRunAll)
		}}
		operations["release "+scope] = operation{nil, update(c, func(c *v1alpha1.Credential) { c.Finalizers = nil })}
		operations["rename "+scope] = operation{needs[0], update(c, func(c *v1alpha1.Credential) { c.Spec.DisplayName = "Other" })}
		operations["force "+scope] = operation{needs[1], update(c, func(c *v1alpha1.Credential) { c.Annotations = map[string]string{force: "true"} })}
	}
	hold(t, operations)
}

// nobody owns what has it: the garbage collector would delete it.
var nobody = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "never-was", UID: "0"}}

// update changes what is found under a credential's name.
func update(c *v1alpha1.Credential, change func(*v1alpha1.Credential)) func(context.Context, client.Client) error {
	return func(ctx context.Context, user client.Client) error {
		current := &v1alpha1.Credential{}
		if err := admin.Get(ctx, client.ObjectKeyFromObject(c), current); err != nil {
			return err
		}
		current.Annotations = maps.Clone(current.Annotations)
		change(current)
		return user.Update(ctx, current, client.DryRunAll)
	}
}

// mergePatch is update as the controller does it, who may not do the other.
func mergePatch(c *v1alpha1.Credential, change func(*v1alpha1.Credential)) func(context.Context, client.Client) error {
	return func(ctx context.Context, user client.Client) error {
		current := &v1alpha1.Credential{}
		if err := admin.Get(ctx, client.ObjectKeyFromObject(c), current); err != nil {
			return err
		}
		before := current.DeepCopy()
		change(current)
		return user.Patch(ctx, current, client.MergeFrom(before), client.DryRunAll)
	}
}

// writeStatus also tries to change what is not in the status, which is ignored.
func writeStatus(c *v1alpha1.Credential) func(context.Context, client.Client) error {
	return func(ctx context.Context, user client.Client) error {
		current := &v1alpha1.Credential{}
		if err := admin.Get(ctx, client.ObjectKeyFromObject(c), current); err != nil {
			return err
		}
		current.Status.KubernetesName = "other"
		current.Spec.DisplayName, current.Annotations = "Other", map[string]string{force: "true"}
		err := user.Status().Update(ctx, current, &client.SubResourceUpdateOptions{
			UpdateOptions: client.UpdateOptions{DryRun: []string{metav1.DryRunAll}},
		})
		if err == nil && (current.Spec.DisplayName != "" || current.Annotations[force] != "") {
			return errors.New("more than the status is changed")
		}
		return err
	}
}

func patchCredential(c *v1alpha1.Credential, patch string) func(context.Context, client.Client) error {
	return func(ctx context.Context, user client.Client) error {
		return user.Patch(ctx, c.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch)), client.DryRunAll)
	}
}

func applyCredential(c *v1alpha1.Credential) func(context.Context, client.Client) error {
	return func(ctx context.Context, user client.Client) error {
		applied := c.DeepCopy()
		applied.APIVersion, applied.Kind = v1alpha1.GroupVersion.String(), "Credential"
		applied.Spec.Description = "applied"
		//nolint:staticcheck // The deprecated way takes the typed object.
		return user.Patch(ctx, applied, client.Apply, client.FieldOwner("jane"), client.ForceOwnership, client.DryRunAll)
	}
}
