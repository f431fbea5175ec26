// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/credence-dev/credence/e2e/chart"
	"github.com/credence-dev/credence/injector/fetch"
)

const (
	credence = "../../charts/credence"

	// installNamespace is another one than the default of everything else, so
	// that a name that is written down in a template shows.
	installNamespace = "install-here"
)

func credenceRelease(values map[string]any) chart.Release {
	return chart.Release{Name: "credence", Namespace: installNamespace, KubeVersion: "v1.30.0", Values: values}
}

// rendered is Credence's chart with values given as YAML.
func rendered(t *testing.T, values string) *chart.Manifests {
	t.Helper()
	manifests, err := chart.Render(os.DirFS(credence), credenceRelease(parseValues(t, values)))
	if err != nil {
		t.Fatal(err)
	}
	return manifests
}

func parseValues(t *testing.T, values string) map[string]any {
	t.Helper()
	parsed := map[string]any{}
	if err := yaml.Unmarshal([]byte(values), &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

// typed returns the objects of a kind, by name. A field that the kind does not
// have is an error.
func typed[T any](t *testing.T, manifests *chart.Manifests, kind string) map[string]T {
	t.Helper()
	found := map[string]T{}
	for _, object := range manifests.Objects {
		if object.GetKind() != kind {
			continue
		}
		var into T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &into, true); err != nil {
			t.Fatalf("%s %s: %v", kind, object.GetName(), err)
		}
		found[object.GetName()] = into
	}
	return found
}

func TestCredenceRendersNothingSecret(t *testing.T) {
	for name, values := range variations {
		t.Run(name, func(t *testing.T) {
			manifests := rendered(t, values)
			for _, object := range append(manifests.Objects, manifests.Hooks...) {
				if object.GetKind() == "Secret" {
					t.Errorf("Secret %s is rendered; the controller makes all of ours", object.GetName())
				}
				if object.GetKind() == "CustomResourceDefinition" {
					continue // whose schema may describe such a field
				}
				for _, field := range []string{"caBundle", "stringData"} {
					if path := find(object.Object, field); path != "" {
						t.Errorf("%s %s has %s", object.GetKind(), object.GetName(), path)
					}
				}
			}
			if manifests.Notes == "" {
				t.Error("no notes are printed")
			}
		})
	}
}

// find returns the path of a field, wherever it is in value; empty if it is
// nowhere.
func find(value any, field string) string {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			if key == field {
				return key
			}
			if path := find(inner, field); path != "" {
				return key + "." + path
			}
		}
	case []any:
		for _, inner := range value {
			if path := find(inner, field); path != "" {
				return path
			}
		}
	}
	return ""
}

// What is in the install namespace says so; nothing is left to the namespace
// that somebody's kubectl happens to be in.
func TestCredenceNamesItsNamespace(t *testing.T) {
	clusterScoped := []string{
		"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "MutatingWebhookConfiguration", "Namespace",
		"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
	}
	for name, values := range variations {
		for _, object := range rendered(t, values).Objects {
			want := installNamespace
			if slices.Contains(clusterScoped, object.GetKind()) {
				want = ""
			}
			if got := object.GetNamespace(); got != want {
				t.Errorf("%s: %s %s is in namespace %q, want %q", name, object.GetKind(), object.GetName(), got, want)
			}
			if object.GetLabels()["app.kubernetes.io/part-of"] != "credence" {
				t.Errorf("%s: %s %s is not labelled as part of Credence", name, object.GetKind(), object.GetName())
			}
		}
	}
}

func TestCredenceDefinitions(t *testing.T) {
	files, err := filepath.Glob(credence + "/files/crds/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("found the CRDs %v: %v", files, err)
	}
	want := map[string]any{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		crd := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(content, &crd.Object); err != nil {
			t.Fatal(err)
		}
		want[crd.GetName()] = crd.Object["spec"]
	}
	definitions := func(values string) (specs map[string]any, policy string) {
		specs, policy = map[string]any{}, "unset"
		for _, object := range rendered(t, values).Objects {
			if object.GetKind() == "CustomResourceDefinition" {
				specs[object.GetName()] = object.Object["spec"]
				policy = object.GetAnnotations()["helm.sh/resource-policy"]
			}
		}
		return normalized(t, specs), policy
	}

	specs, policy := definitions("")
	if diff := cmp.Diff(normalized(t, want), specs); diff != "" {
		t.Errorf("the CRDs are not those of files/crds (-want +got):\n%s", diff)
	}
	if policy != "keep" {
		t.Errorf("resource policy of the CRDs is %q, want keep: uninstalling would delete every credential", policy)
	}
	if specs, policy := definitions("crds: {keep: false}"); policy != "" || len(specs) != len(want) {
		t.Errorf("with keep: false the policy of %d CRDs is %q", len(specs), policy)
	}
	if specs, _ := definitions("crds: {enabled: false}"); len(specs) != 0 {
		t.Errorf("with enabled: false there are %d CRDs", len(specs))
	}
}

// normalized makes the numbers of one type.
func normalized(t *testing.T, value map[string]any) map[string]any {
	t.Helper()
	content, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := json.Unmarshal(content, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func TestCredenceSystemNamespace(t *testing.T) {
	namespaces := typed[corev1.Namespace](t, rendered(t, ""), "Namespace")
	if len(namespaces) != 1 {
		t.Errorf("%d namespaces, want the system namespace alone", len(namespaces))
	}
	if policy := namespaces["credence-credentials"].Annotations["helm.sh/resource-policy"]; policy != "keep" {
		t.Errorf("resource policy is %q, want keep: uninstalling would delete every source", policy)
	}
	if namespaces := typed[corev1.Namespace](t, rendered(t, "systemNamespace: {create: false}"), "Namespace"); len(namespaces) != 0 {
		t.Errorf("with create: false there are %d namespaces", len(namespaces))
	}
}

// fetchFlags are the flags of the settings with which data sources are fetched.
func fetchFlags(settings fetch.Settings) []string {
	quantities := func(list map[string]string) string {
		var items []string
		for _, name := range slices.Sorted(maps.Keys(list)) {
			items = append(items, name+"="+list[name])
		}
		return strings.Join(items, ",")
	}
	return []string{
		"--git-image=" + settings.GitImage, "--s3-image=" + settings.S3Image,
		"--fetch-requests=" + quantities(settings.Requests), "--fetch-limits=" + quantities(settings.Limits),
		"--data-size-limit=" + settings.SizeLimit, "--ca-config-map=" + settings.CAConfigMap,
	}
}

func TestCredenceProcesses(t *testing.T) {
	manifests := rendered(t, "")
	deployments := typed[appsv1.Deployment](t, manifests, "Deployment")
	common := []string{
		"--cluster-name=kubernetes", "--department-label=credence.dev/department", "--health-bind-address=:8081",
		"--install-namespace=" + installNamespace, "--log-level=info", "--metrics-bind-address=:8080",
		"--project-label=credence.dev/project", "--system-namespace=credence-credentials",
	}
	own := map[string][]string{
		"controller": {"--bind-address=:9443", "--cert-dns-names=credence-controller." + installNamespace + ".svc", "--serving-drain=15s", "--drain=75s"},
		"webhook":    append(fetchFlags(fetch.Default()), "--bind-address=:9443", "--cert-dns-names=credence-webhook."+installNamespace+".svc", "--serving-drain=15s"),
	}
	if len(deployments) != len(own) {
		t.Errorf("%d Deployments, want %d", len(deployments), len(own))
	}
	for process, flags := range own {
		deployment := deployments["credence-"+process]
		pod := deployment.Spec.Template.Spec
		if len(pod.Containers) != 1 || len(pod.Containers[0].Args) == 0 {
			t.Fatalf("%s has containers %v", process, pod.Containers)
		}
		args := pod.Containers[0].Args
		if args[0] != process {
			t.Errorf("%s runs %q", process, args[0])
		}
		want := slices.Sorted(slices.Values(append(flags, common...)))
		if diff := cmp.Diff(want, slices.Sorted(slices.Values(args[1:]))); diff != "" {
			t.Errorf("flags of %s (-want +got):\n%s", process, diff)
		}
		if *deployment.Spec.Replicas < 2 || deployment.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue() != 0 {
			t.Errorf("%s is not there through an upgrade", process)
		}
		if grace := *pod.TerminationGracePeriodSeconds; grace < 15+5 {
			t.Errorf("%s is killed after %d s: before 15 s of draining and a request of 5 s are over", process, grace)
		}
		if pod.ServiceAccountName != "credence-"+process {
			t.Errorf("%s runs as %s", process, pod.ServiceAccountName)
		}
		budget := typed[policyv1.PodDisruptionBudget](t, manifests, "PodDisruptionBudget")["credence-"+process]
		for what, selector := range map[string]*metav1.LabelSelector{
			"Deployment": deployment.Spec.Selector, "PodDisruptionBudget": budget.Spec.Selector,
		} {
			if selector == nil || !selects(selector.MatchLabels, deployment.Spec.Template.Labels) {
				t.Errorf("the %s of %s does not select its pods", what, process)
			}
		}
	}
	for process, other := range map[string]string{"webhook": "controller", "controller": "webhook"} {
		service := typed[corev1.Service](t, manifests, "Service")["credence-"+process]
		if !selects(service.Spec.Selector, deployments["credence-"+process].Spec.Template.Labels) ||
			selects(service.Spec.Selector, deployments["credence-"+other].Spec.Template.Labels) {
			t.Errorf("the Service selects %v, want the pods of the %s and no others", service.Spec.Selector, process)
		}
	}
}

func selects(selector, labels map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return len(selector) > 0
}

func TestCredenceValuesReachThePods(t *testing.T) {
	for process, deployment := range typed[appsv1.Deployment](t, rendered(t, variations["placement"]), "Deployment") {
		pod := deployment.Spec.Template.Spec
		if want := "registry.example.com/credence@sha256:" + strings.Repeat("a", 64); pod.Containers[0].Image != want {
			t.Errorf("%s: image %s, want %s", process, pod.Containers[0].Image, want)
		}
		if len(pod.ImagePullSecrets) != 1 || len(pod.Tolerations) != 1 || pod.NodeSelector["pool"] != "system" || pod.PriorityClassName != "important" {
			t.Errorf("%s lacks something of %s", process, variations["placement"])
		}
	}
	for process, deployment := range typed[appsv1.Deployment](t, rendered(t, variations["other labels and namespaces"]), "Deployment") {
		for _, arg := range []string{
			"--project-label=runai/queue", "--department-label=runai/department", "--system-namespace=runai",
			"--cluster-name=east: 1", "--log-level=debug",
		} {
			if !slices.Contains(deployment.Spec.Template.Spec.Containers[0].Args, arg) {
				t.Errorf("%s lacks %s", process, arg)
			}
		}
	}
}

func TestCredenceFetchSettings(t *testing.T) {
	webhook := typed[appsv1.Deployment](t, rendered(t, variations["fetching"]), "Deployment")["credence-webhook"]
	want := fetch.Default()
	want.GitImage, want.CAConfigMap = "mirror.example.com/git-sync:v4", "trust"
	want.Requests, want.Limits = nil, map[string]string{"cpu": "1", "memory": "1Gi"}
	for _, arg := range fetchFlags(want) {
		if !slices.Contains(webhook.Spec.Template.Spec.Containers[0].Args, arg) {
			t.Errorf("the webhook lacks %s: %v", arg, webhook.Spec.Template.Spec.Containers[0].Args)
		}
	}
}

func TestCredenceWithAWebhookOutside(t *testing.T) {
	manifests := rendered(t, variations["a webhook outside"])
	if names := slices.Sorted(maps.Keys(typed[appsv1.Deployment](t, manifests, "Deployment"))); len(names) != 0 {
		t.Errorf("Deployments %v, want none: both run outside", names)
	}
	if services := typed[corev1.Service](t, manifests, "Service"); len(services) != 0 {
		t.Errorf("%d Services, want none", len(services))
	}
}
