// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
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
