// SPDX-License-Identifier: Apache-2.0

package rights

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// right is one of ours, "<verb> <virtual resource>[/<name>]"; without a name it is
// for all.
type right string

func (r right) parts() (verb, resource, name string) {
	verb, rest, _ := strings.Cut(string(r), " ")
	resource, name, _ = strings.Cut(rest, "/")
	return verb, resource, name
}

// covers says whether who has r needs no other for needed.
func (r right) covers(needed right) bool {
	verb, resource, name := r.parts()
	return r == needed || name == "" && strings.HasPrefix(string(needed), verb+" "+resource+"/")
}

// missing is what is said to users who lack it.
func (r right) missing() string {
	verb, resource, name := r.parts()
	if name == "" {
		return fmt.Sprintf("needs the right %q on all %s.credence.dev, for ", verb, resource)
	}
	return fmt.Sprintf("needs the right %q on %s.credence.dev/%s", verb, resource, name)
}

// every is every right that users of the tests have, each of them one.
var every = []right{
	"propagate clusters/local", "propagate departments/research", "propagate departments/sales", "propagate departments",
	"join projects/a", "join projects/b", "join projects", "join departments/research", "join departments/sales", "join departments",
	"forcedelete clusters/local", "forcedelete departments/research", "forcedelete projects/a", "forcedelete projects/b", "forcedelete projects",
}

// writers may write namespaces, credentials and assets, as far as it is for RBAC to say.
const writers = "writers"

var writing = []rbacv1.PolicyRule{
	{
		APIGroups: []string{"credence.dev"}, Resources: []string{"credentials", "credentials/status", "environments", "datasources", "workloadtemplates"},
		Verbs: []string{"create", "update", "patch", "delete", "deletecollection"},
	},
	{
		APIGroups: []string{""}, Resources: []string{"namespaces", "namespaces/status", "namespaces/finalize"},
		Verbs: []string{"create", "update", "patch", "delete"},
	},
}

// giveRights gives each right to the group of its name, and waits until the API
// server knows.
func giveRights(ctx context.Context) error {
	rules := map[string][]rbacv1.PolicyRule{writers: writing}
	for _, r := range every {
		verb, resource, name := r.parts()
		rule := rbacv1.PolicyRule{APIGroups: []string{"credence.dev"}, Resources: []string{resource}, Verbs: []string{verb}}
		if name != "" {
			rule.ResourceNames = []string{name}
		}
		rules[string(r)] = []rbacv1.PolicyRule{rule}
	}
	for group, rules := range rules {
		name := "test:" + strings.NewReplacer(" ", ":", "/", ":").Replace(group)
		if err := admin.Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}); err != nil {
			return err
		}
		if err := admin.Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group}},
		}); err != nil {
			return err
		}
		for _, rule := range rules {
			if err := awaitRule(ctx, group, rule); err != nil {
				return err
			}
		}
	}
	return nil
}

func awaitRule(ctx context.Context, group string, rule rbacv1.PolicyRule) error {
	attributes := &authorizationv1.ResourceAttributes{Group: rule.APIGroups[0], Resource: rule.Resources[0], Verb: rule.Verbs[0]}
	if len(rule.ResourceNames) > 0 {
		attributes.Name = rule.ResourceNames[0]
	}
	return eventually(ctx, group+" is given", func(ctx context.Context) error {
		return may(ctx, authorizationv1.SubjectAccessReviewSpec{Groups: []string{group}, ResourceAttributes: attributes})
	})
}

// may gives an error unless it is allowed.
func may(ctx context.Context, spec authorizationv1.SubjectAccessReviewSpec) error {
	review := &authorizationv1.SubjectAccessReview{Spec: spec}
	if err := admin.Create(ctx, review); err != nil {
		return err
	}
	if !review.Status.Allowed {
		return fmt.Errorf("%v is not allowed: %s", spec.ResourceAttributes, review.Status.Reason)
	}
	return nil
}

// as connects as somebody.
func as(t *testing.T, user string, groups ...string) client.Client {
	t.Helper()
	config := quiet(plane.Config())
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	c, err := client.New(config, client.Options{Scheme: admin.Scheme(), Mapper: admin.RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// operation is something that users try. It must change nothing, for it is tried
// by many: use a dry run.
type operation struct {
	needs []right
	do    func(context.Context, client.Client) error
}

// hold tries operations: as a user with no right, users with one right each, and a
// user with exactly the rights that are needed.
func hold(t *testing.T, operations map[string]operation) {
	t.Helper()
	users := map[string]client.Client{}
	connect := func(rights []right) client.Client {
		key := fmt.Sprint(rights)
		if users[key] == nil {
			groups := []string{writers}
			for _, r := range rights {
				groups = append(groups, string(r))
			}
			users[key] = as(t, "jane", groups...)
		}
		return users[key]
	}
	for name, operation := range operations {
		t.Run(name, func(t *testing.T) {
			sets := [][]right{nil, operation.needs}
			for _, r := range every {
				sets = append(sets, []right{r})
			}
			for _, rights := range sets {
				lacking := slices.DeleteFunc(slices.Clone(operation.needs), func(needed right) bool {
					return slices.ContainsFunc(rights, func(r right) bool { return r.covers(needed) })
				})
				if err := judge(operation.do(t.Context(), connect(rights)), lacking); err != nil {
					t.Errorf("with the rights %q: %v", rights, err)
				}
			}
		})
	}
}

// judge says what is wrong with the outcome of an operation by a user who lacks
// these rights.
func judge(err error, lacking []right) error {
	switch {
	case len(lacking) == 0 && err == nil:
		return nil
	case len(lacking) == 0:
		return fmt.Errorf("it should be allowed: %w", err)
	case err == nil:
		return fmt.Errorf("it is allowed without %q", lacking)
	case !apierrors.IsForbidden(err):
		return fmt.Errorf("it is refused in another way than for a right: %w", err)
	}
	for _, r := range lacking {
		if strings.HasSuffix(err.Error(), r.missing()) || strings.HasSuffix(r.missing(), " ") && strings.Contains(err.Error(), r.missing()) {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("the message names none of %q", lacking), err)
}
