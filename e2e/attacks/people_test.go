// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

const (
	system = "credence-credentials"
	teamA  = "team-a" // a project of the department research, and the tenant's
	teamB  = "team-b" // a project of the department sales
	home   = "research-home"
)

// Who attacks. The tenant has Kubernetes' own role admin in team-a. The department
// admin has what docs/rights.md gives for research, and credence-project-editor in the
// system namespace besides, which several departments may share. The maker creates and
// changes namespaces. The keeper has credence-admin, and GitOps writes all that there
// is, without any of Credence's own rights.
const (
	tenant = "tenant"
	dana   = "department-admin"
	maker  = "maker"
	keeper = "keeper"
	gitOps = "gitops"
)

var all = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}

func rule(group string, verbs []string, resources ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, Verbs: verbs}
}

// prepare makes the projects and gives the rights.
func prepare(ctx context.Context) error {
	ofResearch := rule(v1alpha1.Group, []string{"propagate", "join"}, "departments")
	ofResearch.ResourceNames = []string{"research"}
	made := []client.Object{
		project(teamA, "research"), project(teamB, "sales"),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home, Labels: map[string]string{v1alpha1.LabelDepartmentHome: "research"}}},
		role("department-research", ofResearch), everywhere(dana, "department-research"),
		in(home, dana, "credence-department-admin"), in(system, dana, "credence-project-editor"),
		in(teamA, tenant, "admin"),
		role("namespaces", rule("", all, "namespaces")), everywhere(maker, "namespaces"),
		everywhere(keeper, "credence-admin"),
		role("writes", rule("", all, "namespaces", "secrets"),
			rule(v1alpha1.Group, all, "credentials", "environments", "datasources", "workloadtemplates", "workloadkinds")), everywhere(gitOps, "writes"),
	}
	if err := create(ctx, made...); err != nil {
		return err
	}
	return eventually(ctx, "everybody has their rights", func(ctx context.Context) error {
		var errs []error
		for who, try := range map[string]client.Object{
			tenant: wide("probe", "probe", "project", teamA), // by aggregation
			dana:   wide("probe", "probe", "research", home), gitOps: wide("probe", "probe", "project", teamA),
			maker: &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "probe"}}, keeper: wide("probe", "probe", "cluster", system),
		} {
			c, err := connect(who)
			if err == nil {
				err = c.Create(ctx, try, client.DryRunAll)
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
}

func role(name string, rules ...rbacv1.PolicyRule) client.Object {
	return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "test:" + name}, Rules: rules}
}

func everywhere(who, role string) client.Object {
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "test:" + who},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: who}},
	}
	if role != "credence-admin" {
		binding.RoleRef.Name = "test:" + role
	}
	return binding
}

func in(namespace, who, role string) client.Object {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "test:" + who},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: who}},
	}
}

func create(ctx context.Context, objects ...client.Object) error {
	for _, object := range objects {
		if err := cluster.Client().Create(ctx, object); err != nil {
			return fmt.Errorf("creating %T %s: %w", object, object.GetName(), err)
		}
	}
	return nil
}

// made creates objects as the administrator of the cluster.
func made(t *testing.T, objects ...client.Object) {
	t.Helper()
	if err := create(t.Context(), objects...); err != nil {
		t.Fatal(err)
	}
}

// connect connects as somebody.
func connect(who string) (client.Client, error) {
	config := rest.CopyConfig(cluster.Plane().Config())
	config.WarningHandler = rest.NoWarnings{}
	config.Impersonate = rest.ImpersonationConfig{UserName: who, Groups: []string{"system:authenticated"}}
	return client.New(config, client.Options{Scheme: cluster.Client().Scheme(), Mapper: cluster.Client().RESTMapper()})
}

func as(t *testing.T, who string) client.Client {
	t.Helper()
	c, err := connect(who)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
