// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func tcp(ports ...intstr.IntOrString) []networkingv1.NetworkPolicyPort {
	var all []networkingv1.NetworkPolicyPort
	for _, port := range ports {
		all = append(all, networkingv1.NetworkPolicyPort{Port: ptr(port), Protocol: ptr(corev1.ProtocolTCP)})
	}
	return all
}

func cidrs(all ...string) []networkingv1.NetworkPolicyPeer {
	var peers []networkingv1.NetworkPolicyPeer
	for _, cidr := range all {
		peers = append(peers, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr}})
	}
	return peers
}

func TestNetworkPolicies(t *testing.T) {
	reviews, metrics := tcp(intstr.FromString("https")), tcp(intstr.FromString("metrics"))
	from := func(selector metav1.LabelSelector) []networkingv1.NetworkPolicyPeer {
		return []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &selector}}
	}
	dns := networkingv1.NetworkPolicyPort{Port: ptr(intstr.FromInt32(53)), Protocol: ptr(corev1.ProtocolUDP)}
	for name, test := range map[string]struct {
		values string
		want   networkingv1.NetworkPolicySpec
	}{
		// The API server may come from anywhere, and be anywhere.
		"defaults": {"", networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     []networkingv1.NetworkPolicyIngressRule{{Ports: reviews}, {Ports: metrics, From: from(metav1.LabelSelector{})}},
		}},
		"closed": {variations["closed"], networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{
				{Ports: reviews, From: cidrs("10.0.0.0/8", "fd00::/8")},
				{Ports: metrics, From: from(metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: "monitoring"}})},
			},
			Egress: []networkingv1.NetworkPolicyEgressRule{
				{Ports: append([]networkingv1.NetworkPolicyPort{dns}, tcp(intstr.FromInt32(53))...)},
				{Ports: tcp(intstr.FromInt32(6443)), To: cidrs("192.0.2.1/32")},
			},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			manifests := rendered(t, test.values)
			policies, processes := typed[networkingv1.NetworkPolicy](t, manifests, "NetworkPolicy"), typed[appsv1.Deployment](t, manifests, "Deployment")
			if len(policies) != len(processes) {
				t.Errorf("%d policies for %d processes", len(policies), len(processes))
			}
			for process, deployment := range processes {
				policy := policies[process].Spec
				if !selects(policy.PodSelector.MatchLabels, deployment.Spec.Template.Labels) {
					t.Errorf("the policy selects %v, not the pods of %s", policy.PodSelector.MatchLabels, process)
				}
				for other, elsewhere := range processes {
					if other != process && selects(policy.PodSelector.MatchLabels, elsewhere.Spec.Template.Labels) {
						t.Errorf("the policy of %s selects the pods of %s", process, other)
					}
				}
				policy.PodSelector = metav1.LabelSelector{}
				if diff := cmp.Diff(test.want, policy); diff != "" {
					t.Errorf("policy of %s (-want +got):\n%s", process, diff)
				}
				for _, rule := range policy.Ingress {
					if !listens(&deployment.Spec.Template.Spec, rule.Ports[0].Port.String()) {
						t.Errorf("%s has no port %s", process, rule.Ports[0].Port.String())
					}
				}
			}
		})
	}
}

func listens(pod *corev1.PodSpec, port string) bool {
	for _, declared := range pod.Containers[0].Ports {
		if declared.Name == port {
			return true
		}
	}
	return false
}

func TestNoNetworkPolicies(t *testing.T) {
	for _, values := range []string{variations["open"], variations["a webhook outside"]} {
		if policies := typed[networkingv1.NetworkPolicy](t, rendered(t, values), "NetworkPolicy"); len(policies) != 0 {
			t.Errorf("with %q there are %d policies", values, len(policies))
		}
	}
}
