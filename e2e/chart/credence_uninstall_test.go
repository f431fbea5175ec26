// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/credence-dev/credence/e2e/chart"
)

// hooks are what `helm uninstall` makes first, as if it were all of the chart.
func hooks(t *testing.T, values string) *chart.Manifests {
	t.Helper()
	return &chart.Manifests{Objects: rendered(t, values).Hooks}
}

// TestCredenceUninstallHook: it is there whatever the values are, before anything is
// removed, with its rights before it, and goes when it has succeeded.
func TestCredenceUninstallHook(t *testing.T) {
	for name, values := range variations {
		t.Run(name, func(t *testing.T) {
			manifests := hooks(t, values)
			var kinds []string
			for _, object := range manifests.Objects {
				kinds = append(kinds, object.GetKind())
				weight := "-10"
				if object.GetKind() == "Job" {
					weight = "0"
				}
				want := map[string]string{
					"helm.sh/hook": "pre-delete", "helm.sh/hook-weight": weight,
					"helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
				}
				if diff := cmp.Diff(want, object.GetAnnotations()); diff != "" {
					t.Errorf("annotations of %s (-want +got):\n%s", object.GetKind(), diff)
				}
				namespace := installNamespace
				if strings.HasPrefix(object.GetKind(), "Cluster") {
					namespace = ""
				}
				if object.GetNamespace() != namespace || object.GetLabels()["app.kubernetes.io/component"] != "uninstall" {
					t.Errorf("%s is in namespace %q with labels %v", object.GetKind(), object.GetNamespace(), object.GetLabels())
				}
			}
			slices.Sort(kinds)
			want := []string{"ClusterRole", "ClusterRoleBinding", "Job", "Role", "RoleBinding", "ServiceAccount"}
			if diff := cmp.Diff(want, kinds); diff != "" {
				t.Errorf("hooks (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCredenceUninstallJob: it runs what the processes run, where they may.
func TestCredenceUninstallJob(t *testing.T) {
	job := typed[batchv1.Job](t, hooks(t, variations["placement"]+"\nuninstall: {copies: release}"), "Job")["credence-uninstall"]
	pod := job.Spec.Template.Spec
	want := []string{"uninstall", "--install-namespace=" + installNamespace, "--copies=release", "--timeout=4m"}
	if diff := cmp.Diff(want, pod.Containers[0].Args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	if want := "registry.example.com/credence@sha256:" + strings.Repeat("a", 64); pod.Containers[0].Image != want {
		t.Errorf("image %s, want %s", pod.Containers[0].Image, want)
	}
	if len(pod.ImagePullSecrets) != 1 || len(pod.Tolerations) != 1 || pod.NodeSelector["pool"] != "system" || pod.PriorityClassName != "important" {
		t.Errorf("the Job lacks something of %s", variations["placement"])
	}
	// The command gives up at four minutes and Helm at five.
	if deadline := *job.Spec.ActiveDeadlineSeconds; deadline <= 240 || deadline >= 300 {
		t.Errorf("the Job ends after %d s", deadline)
	}
}

// uninstallRights are all that the hook may do. TestCredenceUninstallNames holds those
// names to what there is.
var uninstallRights = []string{
	"cluster: credentials.credence.dev list,patch",
	"cluster: mutatingwebhookconfigurations.admissionregistration.k8s.io list",
	"cluster: validatingadmissionpolicies.admissionregistration.k8s.io list",
	"cluster: validatingadmissionpolicybindings.admissionregistration.k8s.io list",
	"cluster: validatingwebhookconfigurations.admissionregistration.k8s.io list",
	"install: deployments.apps list",
	"install: leases.coordination.k8s.io/credence-controller get",
	"install: pods. list",
}

func TestCredenceUninstallRights(t *testing.T) {
	for values, more := range map[string][]string{
		"":                              nil,
		"uninstall: {copies: keep}":     nil,
		"uninstall: {copies: release}":  {"cluster: secrets. list,patch"},
		"uninstall: {copies: delete}":   {"cluster: configmaps. delete,list", "cluster: secrets. delete,list"},
		variations["a webhook outside"]: nil,
	} {
		all := rightsOf(t, hooks(t, values))
		if len(all) != 1 {
			t.Errorf("the hooks give rights to %d accounts, want one", len(all))
		}
		got := slices.DeleteFunc(all["credence-uninstall"], func(line string) bool {
			return strings.HasPrefix(line, "install: deployments/scale.apps/") || strings.HasSuffix(line, " delete") && strings.Contains(line, ".admissionregistration.k8s.io/")
		})
		if diff := cmp.Diff(slices.Sorted(slices.Values(append(more, uninstallRights...))), got); diff != "" {
			t.Errorf("with %q (-want +got):\n%s", values, diff)
		}
	}
}

// TestCredenceUninstallNames: the hook may remove what refuses, and stop what runs, by
// name. So it has the names of all that the chart has, and of what the controller makes.
// The command finds them by a label and the beginning of the name.
func TestCredenceUninstallNames(t *testing.T) {
	resources := map[string]string{
		"MutatingWebhookConfiguration": "mutatingwebhookconfigurations", "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
		"ValidatingAdmissionPolicy": "validatingadmissionpolicies", "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
		"Deployment": "deployments/scale",
	}
	want := map[string][]string{"mutatingwebhookconfigurations": {"credence-workload-kinds"}}
	for _, object := range rendered(t, "").Objects {
		resource := resources[object.GetKind()]
		if resource == "" {
			continue
		}
		want[resource] = append(want[resource], object.GetName())
		if name := object.GetName(); name != "credence" && !strings.HasPrefix(name, "credence-") || object.GetLabels()["app.kubernetes.io/part-of"] != "credence" {
			t.Errorf("%s %s with labels %v is not found when it is uninstalled", object.GetKind(), name, object.GetLabels())
		}
	}
	got := map[string][]string{}
	manifests := hooks(t, "")
	rules := slices.Concat(typed[rbacv1.ClusterRole](t, manifests, "ClusterRole")["credence-uninstall"].Rules,
		typed[rbacv1.Role](t, manifests, "Role")["credence-uninstall"].Rules)
	for _, rule := range rules {
		if slices.Equal(rule.Verbs, []string{"delete"}) || slices.Contains(rule.Resources, "deployments/scale") {
			for _, resource := range rule.Resources {
				got[resource] = append(got[resource], rule.ResourceNames...)
			}
		}
	}
	for _, names := range []map[string][]string{want, got} {
		for _, list := range names {
			slices.Sort(list)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
