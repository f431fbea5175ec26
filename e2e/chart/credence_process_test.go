// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// TestMemoryLimit: every process knows how much memory it may use, and collects its
// garbage in time.
func TestMemoryLimit(t *testing.T) {
	processes := typed[appsv1.Deployment](t, rendered(t, ``), "Deployment")
	if len(processes) == 0 {
		t.Fatal("there are no processes")
	}
	want := []corev1.EnvVar{{Name: "GOMEMLIMIT", ValueFrom: &corev1.EnvVarSource{
		ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.memory"},
	}}}
	for name, process := range processes {
		container := process.Spec.Template.Spec.Containers[0]
		if diff := cmp.Diff(want, container.Env); diff != "" {
			t.Errorf("variables of %s (-want +got):\n%s", name, diff)
		}
		if container.Resources.Limits.Memory().IsZero() {
			t.Errorf("%s has no memory limit", name)
		}
	}
}

// TestPublicationRights: the controller may write the CA bundle into every webhook
// configuration that is ours. It looks for them by their name, credence; one of
// another name would never get a bundle, and without the right a rotation never ends.
func TestPublicationRights(t *testing.T) {
	for name, values := range variations {
		t.Run(name, func(t *testing.T) {
			manifests := rendered(t, values)
			role := typed[rbacv1.ClusterRole](t, manifests, "ClusterRole")["credence-controller"]
			written := map[string][]string{}
			for _, rule := range role.Rules {
				if slices.Contains(rule.APIGroups, admissionregistrationv1.GroupName) && slices.Contains(rule.Verbs, "patch") {
					for _, resource := range rule.Resources {
						written[resource] = append(written[resource], rule.ResourceNames...)
					}
				}
			}
			ours := []string{"credence"}
			// The second is made by the controller, which copies the chart's.
			want := map[string][]string{"mutatingwebhookconfigurations": {"credence-workload-kinds", "credence"}, "validatingwebhookconfigurations": ours}
			if certificatesOf(t, values) == "cert-manager" {
				want = map[string][]string{} // it writes them
			}
			if diff := cmp.Diff(want, written); diff != "" {
				t.Errorf("configurations that may be written (-want +got):\n%s", diff)
			}
			for _, object := range manifests.Objects {
				if object.GroupVersionKind().Group == admissionregistrationv1.GroupName && object.GetName() != "credence" &&
					(object.GetKind() == "MutatingWebhookConfiguration" || object.GetKind() == "ValidatingWebhookConfiguration") {
					t.Errorf("%s %s never gets a CA bundle", object.GetKind(), object.GetName())
				}
			}
		})
	}
}

// TestPlacement: the pods of a process are not all in one place, and drains leave one.
func TestPlacement(t *testing.T) {
	manifests := rendered(t, "")
	for name, process := range typed[appsv1.Deployment](t, manifests, "Deployment") {
		pod := process.Spec.Template
		var over []string
		for _, spread := range pod.Spec.TopologySpreadConstraints {
			over = append(over, spread.TopologyKey)
			if spread.MaxSkew != 1 || spread.WhenUnsatisfiable != corev1.ScheduleAnyway {
				t.Errorf("%s: spread over %s by %d, %s", name, spread.TopologyKey, spread.MaxSkew, spread.WhenUnsatisfiable)
			}
			if !selects(spread.LabelSelector.MatchLabels, pod.Labels) || spread.LabelSelector.MatchLabels["app.kubernetes.io/component"] == "" {
				t.Errorf("%s: what is spread over %s are not its pods", name, spread.TopologyKey)
			}
		}
		if diff := cmp.Diff([]string{corev1.LabelHostname, corev1.LabelTopologyZone}, over); diff != "" {
			t.Errorf("%s: spread over (-want +got):\n%s", name, diff)
		}
		budget := typed[policyv1.PodDisruptionBudget](t, manifests, "PodDisruptionBudget")[name].Spec
		if budget.MaxUnavailable == nil || budget.MaxUnavailable.IntValue() != 1 || *budget.UnhealthyPodEvictionPolicy != policyv1.AlwaysAllow {
			t.Errorf("%s: a drain may take %v pods at once, and unready ones: %v", name, budget.MaxUnavailable, budget.UnhealthyPodEvictionPolicy)
		}
	}
}

// TestPodLabels: those of the user come besides, and cannot take the place of those that
// pods are selected by.
func TestPodLabels(t *testing.T) {
	for name, process := range typed[appsv1.Deployment](t, rendered(t, variations["labelled"]), "Deployment") {
		pod := process.Spec.Template
		if pod.Labels["team"] != "platform" || pod.Annotations["example.com/scrape"] != "true" {
			t.Errorf("%s has labels %v and annotations %v", name, pod.Labels, pod.Annotations)
		}
		if !selects(process.Spec.Selector.MatchLabels, pod.Labels) {
			t.Errorf("%s does not select its pods, which are labelled %v", name, pod.Labels)
		}
	}
}
