// SPDX-License-Identifier: Apache-2.0

package rights

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/guide"
	"github.com/credence-dev/credence/e2e/local"
)

// rolesHold binds each role in a namespace, as it is meant to be, and tries what it
// gives.
func rolesHold(t *testing.T) {
	bind(t, teamA, "credence-viewer")
	bind(t, teamA, "credence-project-editor")
	bind(t, home, "credence-department-admin")
	bind(t, "", "credence-admin")
	for _, namespace := range []string{teamA, home, systemNamespace} {
		create(t, secret(namespace, "theirs"))
	}
	attempts := map[string]func(context.Context, client.Client) error{
		"view": func(ctx context.Context, c client.Client) error {
			return c.List(ctx, &v1alpha1.CredentialList{}, client.InNamespace(teamA))
		},
		"view assets": func(ctx context.Context, c client.Client) error {
			return onAssets(func(kind string) error {
				list := map[string]client.ObjectList{
					"environments": &v1alpha1.EnvironmentList{}, "datasources": &v1alpha1.DataSourceList{}, "workloadtemplates": &v1alpha1.WorkloadTemplateList{},
				}[kind]
				return c.List(ctx, list, client.InNamespace(teamA))
			})
		},
		"edit assets":    createAssetsIn(teamA, "project"),
		"share assets":   createAssetsIn(systemNamespace, "cluster"),
		"edit":           createIn(teamA, "project"),
		"edit elsewhere": createIn(plain, "project"),
		"share at home":  createIn(home, "research"),
		"share":          createIn(systemNamespace, "research"),
		"share with all": createIn(systemNamespace, "cluster"),
		"read Secrets": func(ctx context.Context, c client.Client) error {
			return c.Get(ctx, client.ObjectKey{Namespace: teamA, Name: "theirs"}, &corev1.Secret{})
		},
		"list Secrets": func(ctx context.Context, c client.Client) error {
			return c.List(ctx, &corev1.SecretList{}, client.InNamespace(teamA))
		},
		"read Secrets at home": func(ctx context.Context, c client.Client) error {
			return c.Get(ctx, client.ObjectKey{Namespace: home, Name: "theirs"}, &corev1.Secret{})
		},
		"read Secrets in the system namespace": func(ctx context.Context, c client.Client) error {
			return c.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: "theirs"}, &corev1.Secret{})
		},
		"make Secrets":                       onSecret(teamA, "new", client.Client.Create),
		"replace Secrets":                    onSecret(teamA, "theirs", client.Client.Update),
		"delete Secrets":                     onSecret(teamA, "theirs", client.Client.Delete),
		"make Secrets at home":               onSecret(home, "new", client.Client.Create),
		"delete Secrets at home":             onSecret(home, "theirs", client.Client.Delete),
		"make Secrets beside Credence's own": onSecret(local.InstallNamespace, "new", client.Client.Create),
		"label Secrets": func(ctx context.Context, c client.Client) error {
			return c.Patch(ctx, secret(teamA, "theirs"), client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"labels": {"a": "b"}}}`)), client.DryRunAll)
		},
		"write a status": func(ctx context.Context, c client.Client) error {
			return c.Status().Patch(ctx, credential(teamA, "project", "project"), client.RawPatch(types.MergePatchType, []byte(`{"status": {"kubernetesName": "x"}}`)))
		},
	}
	for role, want := range map[string][]string{
		"credence-viewer":           {"view", "view assets"},
		"credence-project-editor":   {"edit", "edit assets", "make Secrets", "replace Secrets", "view", "view assets"},
		"credence-department-admin": {"delete Secrets at home", "make Secrets at home", "read Secrets at home"},
		"credence-admin":            {"edit", "edit assets", "edit elsewhere", "share", "share assets", "share at home", "share with all", "view", "view assets"},
	} {
		t.Run(role, func(t *testing.T) {
			found := map[string]bool{}
			for name, attempt := range attempts {
				if err := attempt(t.Context(), as(t, "jane", role)); err == nil {
					found[name] = true
				} else if !apierrors.IsForbidden(err) {
					t.Errorf("%s: %v", name, err)
				}
			}
			expected := map[string]bool{}
			for _, name := range want {
				expected[name] = true
			}
			if diff := cmp.Diff(expected, found); diff != "" {
				t.Errorf("what can be done (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("kinds of workloads", workloadKindsHold)
	t.Run("values do not come out", valuesStay)
	t.Run("aggregation", aggregated)
}

// bind gives a role to the group of its name, everywhere if there is no namespace,
// and waits until the API server knows.
func bind(t *testing.T, namespace, role string) {
	t.Helper()
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: role}}
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "test:" + role}
	if namespace == "" {
		create(t, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, Subjects: subjects, RoleRef: ref})
	} else {
		create(t, &rbacv1.RoleBinding{ObjectMeta: meta, Subjects: subjects, RoleRef: ref})
	}
	if err := eventually(t.Context(), role+" is bound", func(ctx context.Context) error {
		return may(ctx, authorizationv1.SubjectAccessReviewSpec{Groups: []string{role}, ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Group: "credence.dev", Resource: "credentials", Verb: "list",
		}})
	}); err != nil {
		t.Fatal(err)
	}
}

func createIn(namespace, scope string) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error {
		return c.Create(ctx, credential(namespace, "new", scope), client.DryRunAll)
	}
}

// createAssetsIn creates one of each kind.
func createAssetsIn(namespace, scope string) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error {
		return onAssets(func(kind string) error {
			return c.Create(ctx, assetLike(kind, credential(namespace, "new", scope)), client.DryRunAll)
		})
	}
}

// onAssets does something for each kind of assets, which is to come out alike.
func onAssets(do func(kind string) error) error {
	var errs []error
	for kind := range assetKinds {
		errs = append(errs, do(kind))
	}
	for _, err := range errs {
		if (err == nil) != (errs[0] == nil) {
			return fmt.Errorf("one kind is not like another: %v", errs)
		}
	}
	return errs[0]
}

// onSecret does to a Secret one of the things that clients do, without effect.
func onSecret[option any](namespace, name string, do func(client.Client, context.Context, client.Object, ...option) error) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error {
		dry, ok := any(client.DryRunAll).(option)
		if !ok {
			return fmt.Errorf("%T is no option of it", client.DryRunAll)
		}
		return do(c, ctx, secret(namespace, name), dry)
	}
}

func secret(namespace, name string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: map[string]string{"key": "not-a-secret"},
	}
}

// valuesStay holds what is said of the verbs on Secrets that credence-project-editor
// has and has not: whether the API server answers with values that it was not sent.
func valuesStay(t *testing.T) {
	create(t, secret(plain, "stored"))
	clientset, err := kubernetes.NewForConfig(plane.Config())
	if err != nil {
		t.Fatal(err)
	}
	secrets := clientset.CoreV1().RESTClient()
	shown := map[string]bool{}
	for verb, request := range map[string]*rest.Request{
		"create":           secrets.Post().Body([]byte(`{"metadata": {"name": "new"}}`)),
		"update":           secrets.Put().Name("stored").Body([]byte(`{"metadata": {"name": "stored"}}`)),
		"patch":            secrets.Patch(types.MergePatchType).Name("stored").Body([]byte(`{}`)),
		"delete":           secrets.Delete().Name("stored").Param("propagationPolicy", string(metav1.DeletePropagationForeground)),
		"deletecollection": secrets.Delete().Param("fieldSelector", "metadata.name=stored"),
	} {
		answer, err := request.Namespace(plain).Resource("secrets").Param("dryRun", metav1.DryRunAll).DoRaw(t.Context())
		if err != nil {
			t.Errorf("%s: %v", verb, err)
		}
		shown[verb] = strings.Contains(string(answer), base64.StdEncoding.EncodeToString([]byte("not-a-secret")))
	}
	want := map[string]bool{"create": false, "update": false, "patch": true, "delete": true, "deletecollection": true}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("verbs that show values (-want +got):\n%s", diff)
	}
}

// aggregated waits until Kubernetes' own roles include ours.
func aggregated(t *testing.T) {
	for role, verbs := range map[string]map[string]bool{
		"view":  {"list": true, "create": false},
		"edit":  {"list": true, "create": true},
		"admin": {"list": true, "create": true},
	} {
		bind(t, plain, role)
		for verb, allowed := range verbs {
			attributes := &authorizationv1.ResourceAttributes{Namespace: plain, Group: "credence.dev", Resource: "credentials", Verb: verb}
			err := may(t.Context(), authorizationv1.SubjectAccessReviewSpec{Groups: []string{role}, ResourceAttributes: attributes})
			if (err == nil) != allowed {
				t.Errorf("%s: %s: %v", role, verb, err)
			}
		}
		found := &rbacv1.ClusterRole{}
		if err := admin.Get(t.Context(), client.ObjectKey{Name: role}, found); err != nil {
			t.Fatal(err)
		}
		for _, rule := range found.Rules {
			for _, verb := range rule.Verbs {
				if verb == "propagate" || verb == "join" || verb == "forcedelete" {
					t.Errorf("%s includes %v", role, rule)
				}
			}
		}
	}
}

// documentedExampleWorks applies what docs/rights.md shows.
func documentedExampleWorks(t *testing.T) {
	asked := 0
	for _, object := range documented(t) {
		if object.GetKind() != "SelfSubjectAccessReview" {
			create(t, object)
			continue
		}
		for user, want := range map[string]bool{"research-admins": true, "platform": true, "others": false} {
			asked++
			if err := eventually(t.Context(), user+" may", func(ctx context.Context) error {
				review := object.DeepCopy()
				if err := as(t, "jane", user).Create(ctx, review); err != nil {
					return err
				}
				if allowed, _, _ := unstructured.NestedBool(review.Object, "status", "allowed"); allowed != want {
					return fmt.Errorf("it is %t", allowed)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		}
	}
	if asked == 0 {
		t.Error("no question is documented")
	}
	join := relabel(plain, map[string]string{defaultKeys.department: "research"}, "")
	for user, want := range map[string]map[string]error{
		"research-admins": {
			"at home":                 createIn("research-home", "research")(t.Context(), as(t, "jane", "research-admins")),
			"a source":                as(t, "jane", "research-admins").Create(t.Context(), secret("research-home", "source"), client.DryRunAll),
			"join, with other rights": join(t.Context(), as(t, "jane", "research-admins", writers)),
		},
		"platform": {
			"for all":  createIn(systemNamespace, "cluster")(t.Context(), as(t, "jane", "platform")),
			"a source": as(t, "jane", "platform").Create(t.Context(), secret(systemNamespace, "source"), client.DryRunAll),
		},
	} {
		for what, err := range want {
			if err != nil {
				t.Errorf("%s: %s: %v", user, what, err)
			}
		}
	}
	for what, test := range map[string]struct {
		err  error
		want right
	}{
		"another department": {createIn("research-home", "sales")(t.Context(), as(t, "jane", "research-admins")), "propagate departments/sales"},
		"for all":            {createIn("research-home", "cluster")(t.Context(), as(t, "jane", "research-admins")), "propagate clusters/local"},
	} {
		if err := judge(test.err, []right{test.want}); err != nil {
			t.Errorf("research-admins: %s: %v", what, err)
		}
	}
}

// documented returns the objects in the text's blocks of YAML.
func documented(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	page, err := guide.Read("../../docs/rights.md")
	if err != nil {
		t.Fatal(err)
	}
	objects, err := page.Objects()
	if err != nil {
		t.Fatal(err)
	}
	return objects
}
