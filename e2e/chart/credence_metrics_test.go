// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// serviceMonitor is what we use of monitoring.coreos.com/v1.
type serviceMonitor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              serviceMonitorSpec `json:"spec"`
}

type serviceMonitorSpec struct {
	Selector        metav1.LabelSelector `json:"selector"`
	PodTargetLabels []string             `json:"podTargetLabels"`
	Endpoints       []endpoint           `json:"endpoints"`
}

type endpoint struct {
	Port     string `json:"port"`
	Interval string `json:"interval"`
}

// TestServiceMonitor: Prometheus finds the metrics of every pod, ready or not.
func TestServiceMonitor(t *testing.T) {
	for _, name := range []string{"defaults", "a webhook outside"} {
		for _, object := range rendered(t, variations[name]).Objects {
			if object.GetKind() == "ServiceMonitor" || object.GetName() == "credence-metrics" {
				t.Errorf("with %s there is a %s", name, object.GetKind())
			}
		}
	}
	manifests := rendered(t, variations["watched"]+"\nnetworkPolicy: {enabled: false}")
	monitor, service := typed[serviceMonitor](t, manifests, "ServiceMonitor")["credence"], typed[corev1.Service](t, manifests, "Service")["credence-metrics"]
	want := serviceMonitorSpec{
		Selector:        metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": "credence", "app.kubernetes.io/component": "metrics"}},
		PodTargetLabels: []string{"app.kubernetes.io/component"},
		Endpoints:       []endpoint{{Port: "metrics", Interval: "30s"}},
	}
	if diff := cmp.Diff(want, monitor.Spec); diff != "" {
		t.Errorf("ServiceMonitor (-want +got):\n%s", diff)
	}
	if monitor.Labels["release"] != "prometheus" {
		t.Errorf("ServiceMonitor has labels %v", monitor.Labels)
	}
	for name, other := range typed[corev1.Service](t, manifests, "Service") {
		if selects(monitor.Spec.Selector.MatchLabels, other.Labels) != (name == service.Name) {
			t.Errorf("ServiceMonitor and Service %s: want the metrics, each pod once", name)
		}
	}
	if !service.Spec.PublishNotReadyAddresses || service.Spec.ClusterIP != corev1.ClusterIPNone || service.Spec.Ports[0].Name != "metrics" {
		t.Errorf("Service %+v", service.Spec)
	}
	for process, deployment := range typed[appsv1.Deployment](t, manifests, "Deployment") {
		pod := deployment.Spec.Template
		if !selects(service.Spec.Selector, pod.Labels) || !listens(&pod.Spec, service.Spec.Ports[0].TargetPort.String()) {
			t.Errorf("the metrics of %s are not found", process)
		}
	}
}

// TestDashboard: Grafana's sidecar finds it. What it shows is tested in package charts.
func TestDashboard(t *testing.T) {
	if maps := typed[corev1.ConfigMap](t, rendered(t, ""), "ConfigMap"); len(maps) != 0 {
		t.Errorf("%d ConfigMaps, want none by default", len(maps))
	}
	config := typed[corev1.ConfigMap](t, rendered(t, variations["watched"]), "ConfigMap")["credence-dashboard"]
	if config.Labels["grafana_dashboard"] != "1" {
		t.Errorf("the dashboard has labels %v", config.Labels)
	}
	want, err := os.ReadFile(credence + "/files/dashboards/credence.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), config.Data["credence.json"]); diff != "" {
		t.Errorf("the dashboard is not that of the file (-want +got):\n%s", diff)
	}
}
