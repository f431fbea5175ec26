// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"context"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

// attempt is what somebody tries, as a dry run.
type attempt func(context.Context, client.Client) error

func creates(object client.Object) attempt {
	return func(ctx context.Context, c client.Client) error {
		return c.Create(ctx, object.DeepCopyObject().(client.Object), client.DryRunAll)
	}
}

func patches(object client.Object, merge string) attempt {
	return func(ctx context.Context, c client.Client) error {
		return c.Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch("application/merge-patch+json", []byte(merge)), client.DryRunAll)
	}
}

func reads(object client.Object) attempt {
	return func(ctx context.Context, c client.Client) error {
		return c.Get(ctx, client.ObjectKeyFromObject(object), object.DeepCopyObject().(client.Object))
	}
}

func deletes(object client.Object) attempt {
	return func(ctx context.Context, c client.Client) error {
		return c.Delete(ctx, object.DeepCopyObject().(client.Object), client.DryRunAll)
	}
}

func writesStatus(c *v1alpha1.Credential) attempt {
	return func(ctx context.Context, by client.Client) error {
		changed := c.DeepCopy()
		changed.Status.KubernetesName = "default-token"
		return by.Status().Update(ctx, changed, client.DryRunAll)
	}
}

// labelled is a namespace that there is not yet.
func labelled(label, value string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "more", Labels: map[string]string{label: value}}}
}

// TestRightsEnd tries what each has no right to. Each may do something of the kind, so
// that it is not for the lack of RBAC on everything.
func TestRightsEnd(t *testing.T) {
	cluster := ofCluster(t, "kept")
	own, ofSales := wide("own", "own-key", "project", teamA), wide("of-sales", "of-sales-key", "sales", system)
	made(t, source(teamA, "own-key", "cluster"), own, source(system, "of-sales-key", "sales"), ofSales)
	because(t, own, v1alpha1.ReasonPropagated)
	copied := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "kept-key"}}
	ca := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: local.InstallNamespace, Name: "credence-webhook-ca"}}
	here := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: teamA}}
	forced := own.DeepCopy()
	forced.ObjectMeta = metav1.ObjectMeta{Namespace: teamA, Name: "forced", Annotations: map[string]string{v1alpha1.AnnotationForceDelete: "true"}}
	const force = `{"metadata": {"annotations": {"credence.dev/force-delete": "true"}}}`
	kind := &v1alpha1.WorkloadKind{
		ObjectMeta: metav1.ObjectMeta{Name: "apps"},
		Spec:       v1alpha1.WorkloadKindSpec{APIVersion: "example.com/v1", Kind: "App", PodTemplatePaths: []string{".spec.template"}},
	}
	aggregated := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "more", Labels: map[string]string{v1alpha1.LabelAggregateToController: "true"}}}
	for who, tries := range map[string]struct{ may, mayNot map[string]attempt }{
		tenant: {
			may: map[string]attempt{"a credential": creates(wide("more", "more", "project", teamA)), "a Secret": creates(source(teamA, "more", "cluster"))},
			mayNot: map[string]attempt{
				"a credential of the cluster": creates(wide("more", "more", "cluster", teamA)), "one of a department": creates(wide("more", "more", "research", teamA)),
				"one elsewhere": creates(wide("more", "more", "project", teamB)), "one in the system namespace": creates(wide("more", "more", "project", system)),
				"its own status": writesStatus(own), "force": patches(own, force), "force from the start": creates(forced),
				"force on its source": patches(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: teamA, Name: "own-key"}}, force),
				"another department":  patches(here, `{"metadata": {"labels": {"credence.dev/department": "sales"}}}`),
				"a kind":              creates(kind), "a source of the cluster": reads(copied), "the key of the CA": reads(ca), "a credential of the cluster, to read": reads(cluster),
				"to delete it": deletes(cluster), "a role for the controller": creates(aggregated),
			},
		},
		dana: {
			may: map[string]attempt{"one of the department": creates(wide("more", "more", "research", home)), "one in the system namespace": creates(wide("more", "more", "research", system))},
			mayNot: map[string]attempt{
				"one of another department": creates(wide("more", "more", "sales", system)), "one of the cluster": creates(wide("more", "more", "cluster", system)),
				"to widen one": patches(ofSales, `{"spec": {"scope": {"level": "cluster", "department": null}}}`), "to change one": patches(ofSales, `{"spec": {"secretRef": {"name": "kept-key"}}}`),
				"to delete one": deletes(ofSales), "to give one an owner": patches(cluster, `{"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "u"}]}}`),
				"force": patches(cluster, force), "its status": writesStatus(cluster), "values of the system namespace": reads(copied), "the key of the CA": reads(ca),
			},
		},
		maker: {
			may: map[string]attempt{"a namespace": creates(labelled("a", "b"))},
			mayNot: map[string]attempt{
				"a project": creates(labelled(v1alpha1.LabelProject, "more")), "another one of a name": creates(labelled(v1alpha1.LabelProject, teamA)),
				"a department": creates(labelled(v1alpha1.LabelDepartment, "research")), "a home": creates(labelled(v1alpha1.LabelDepartmentHome, "research")),
				"an id": creates(labelled("credence.dev/project-id", "1")), "to take one out": patches(here, `{"metadata": {"labels": {"credence.dev/project": null}}}`),
				"to move one": patches(here, `{"metadata": {"labels": {"credence.dev/department": "sales"}}}`),
			},
		},
		gitOps: {
			may: map[string]attempt{"a project's credential": creates(wide("more", "more", "project", teamA)), "a finalizer": patches(cluster, `{"metadata": {"finalizers": ["example.com/hold"]}}`)},
			mayNot: map[string]attempt{
				"one of the cluster": creates(wide("more", "more", "cluster", system)), "a project": creates(labelled(v1alpha1.LabelProject, "more")),
				"force": patches(own, force), "its status": writesStatus(cluster), "to delete one": deletes(ofSales),
				"a copy": creates(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: teamA, Name: "more", Labels: map[string]string{v1alpha1.LabelCopyOf: "kept"}}}),
			},
		},
		keeper: {
			may:    map[string]attempt{"one of the cluster": creates(wide("more", "more", "cluster", system)), "a kind": creates(kind)},
			mayNot: map[string]attempt{"values": reads(copied), "the key of the CA": reads(ca), "a status": writesStatus(cluster), "a role for the controller": creates(aggregated)},
		},
	} {
		c := as(t, who)
		for what, try := range tries.may {
			if err := try(t.Context(), c); err != nil {
				t.Errorf("%s, %s: %v", who, what, err)
			}
		}
		for what, try := range tries.mayNot {
			if err := try(t.Context(), c); !apierrors.IsForbidden(err) {
				t.Errorf("%s, %s: %v", who, what, err)
			}
		}
	}
}

// TestProcessesMayNot: what whoever has taken over a process has no right to.
func TestProcessesMayNot(t *testing.T) {
	for account, questions := range map[string][]string{
		"credence-webhook": {
			"get secrets", "list secrets", "watch secrets", "create secrets", "create pods", "patch pods", "patch deployments.apps",
			"patch credentials.credence.dev", "update credentials.credence.dev/status", "patch namespaces", "create serviceaccounts/token",
			"patch mutatingwebhookconfigurations.admissionregistration.k8s.io", "impersonate users",
		},
		"credence-controller": {
			"update secrets", "deletecollection secrets", "delete pods", "create pods", "create pods/exec", "create pods/eviction", "create deployments.apps", "patch deployments.apps",
			"patch namespaces", "delete namespaces", "delete credentials.credence.dev", "create credentials.credence.dev", "create serviceaccounts/token", "impersonate users",
			"escalate clusterroles.rbac.authorization.k8s.io", "bind clusterroles.rbac.authorization.k8s.io", "patch clusterroles.rbac.authorization.k8s.io",
			"patch mutatingwebhookconfigurations.admissionregistration.k8s.io", "create validatingwebhookconfigurations.admissionregistration.k8s.io",
			"patch validatingadmissionpolicies.admissionregistration.k8s.io", "delete validatingadmissionpolicybindings.admissionregistration.k8s.io",
			"patch customresourcedefinitions.apiextensions.k8s.io", "forcedelete clusters.credence.dev", "propagate clusters.credence.dev", "join projects.credence.dev",
		},
	} {
		user := cluster.ServiceAccount(account).Impersonate
		allowed := func(question string) bool {
			verb, rest, _ := strings.Cut(question, " ")
			resource, sub, _ := strings.Cut(rest, "/")
			resource, group, _ := strings.Cut(resource, ".")
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: user.UserName, Groups: user.Groups,
				ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Group: group, Resource: resource, Subresource: sub, Namespace: teamA},
			}}
			if err := cluster.Client().Create(t.Context(), review); err != nil {
				t.Fatal(err)
			}
			return review.Status.Allowed
		}
		if !allowed("list namespaces") {
			t.Errorf("%s may do nothing at all", account)
		}
		if may := slices.DeleteFunc(questions, func(question string) bool { return !allowed(question) }); len(may) > 0 {
			t.Errorf("%s may %q", account, may)
		}
	}
}
