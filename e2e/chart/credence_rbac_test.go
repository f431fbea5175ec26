// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/credence-dev/credence/e2e/chart"
)

// rights are all that the processes may do, one line for each resource and name:
// "<where>: <resource>.<group>[/<name>] <verbs>".
var rights = map[string][]string{
	"credence-webhook": {
		"cluster: credentials.credence.dev get,list,watch",
		"cluster: cronjobs.batch get",
		"cluster: daemonsets.apps get",
		"cluster: datasources.credence.dev get,list,watch",
		"cluster: deployments.apps get",
		"cluster: environments.credence.dev get,list,watch",
		"cluster: jobs.batch get",
		"cluster: namespaces. get,list,watch",
		"cluster: replicasets.apps get",
		"cluster: replicationcontrollers. get",
		"cluster: statefulsets.apps get",
		"cluster: workloadkinds.credence.dev list,watch",
		"cluster: workloadtemplates.credence.dev get,list,watch",
		"install: secrets./credence-webhook-ca list,watch",
	},
	"credence-controller": {
		"cluster: credentials.credence.dev list,patch,watch",
		"cluster: credentials/status.credence.dev update",
		"cluster: cronjobs.batch list,watch",
		"cluster: customresourcedefinitions.apiextensions.k8s.io/credentials.credence.dev get",
		"cluster: customresourcedefinitions.apiextensions.k8s.io get",
		"cluster: daemonsets.apps list,watch",
		"cluster: datasources.credence.dev list,watch",
		"cluster: datasources/status.credence.dev update",
		"cluster: deployments.apps list,watch",
		"cluster: environments.credence.dev list,watch",
		"cluster: environments/status.credence.dev update",
		"cluster: events.events.k8s.io create,patch",
		"cluster: jobs.batch list,watch",
		"cluster: mutatingwebhookconfigurations.admissionregistration.k8s.io create",
		"cluster: mutatingwebhookconfigurations.admissionregistration.k8s.io/credence get,list,patch,watch",
		"cluster: mutatingwebhookconfigurations.admissionregistration.k8s.io/credence-workload-kinds delete,get,list,patch,update,watch",
		"cluster: namespaces. list,watch",
		"cluster: pods. list,watch",
		"cluster: podtemplates. list,watch",
		"cluster: replicasets.apps list,watch",
		"cluster: replicationcontrollers. list,watch",
		"cluster: secrets. create,delete,get,list,patch,watch",
		"cluster: selfsubjectaccessreviews.authorization.k8s.io create",
		"cluster: serviceaccounts. list,watch",
		"cluster: statefulsets.apps list,watch",
		"cluster: validatingwebhookconfigurations.admissionregistration.k8s.io/credence get,list,patch,watch",
		"cluster: workloadkinds.credence.dev list,watch",
		"cluster: workloadkinds/status.credence.dev update",
		"cluster: workloadtemplates.credence.dev list,watch",
		"cluster: workloadtemplates/status.credence.dev update",
		"install: events. create,patch",
		"install: leases.coordination.k8s.io create",
		"install: leases.coordination.k8s.io/credence-controller get,update",
		"install: secrets./credence-webhook-ca update",
	},
}

// restartRights are what the controller may do besides, where restarts are enabled.
var restartRights = []string{
	"cluster: daemonsets.apps get,patch",
	"cluster: deployments.apps get,patch",
	"cluster: statefulsets.apps get,patch",
}

// bundleRights are what it may do besides, where there is a ConfigMap of certificates.
var bundleRights = []string{
	"cluster: configmaps. create",
	"cluster: configmaps./trust delete,get,list,patch,watch",
}

func TestCredenceRights(t *testing.T) {
	for name, values := range variations {
		t.Run(name, func(t *testing.T) {
			rights := maps.Clone(rights)
			const controller = "credence-controller"
			if values == variations["restarts"] {
				rights[controller] = slices.Concat(rights[controller], restartRights)
			}
			if values == variations["carrying"] {
				rights[controller] = slices.Concat(rights[controller], carryRights())
			}
			if values == variations["evicting"] {
				rights[controller] = slices.Concat(rights[controller], evictRights)
			}
			if values == variations["fetching"] {
				rights[controller] = slices.Concat(rights[controller], bundleRights)
			}
			withoutRights(rights, certificatesOf(t, values))
			rights[controller] = slices.Sorted(slices.Values(slices.Concat(rights[controller], followRights())))
			if diff := cmp.Diff(rights, rightsOf(t, rendered(t, values))); diff != "" {
				t.Errorf("rights (-want +got):\n%s", diff)
			}
		})
	}
}

// The right to restart workloads and the flag that uses it come together.
func TestCredenceRestarts(t *testing.T) {
	for values, want := range map[string]bool{"": false, variations["restarts"]: true} {
		controller := typed[appsv1.Deployment](t, rendered(t, values), "Deployment")["credence-controller"]
		if got := slices.Contains(controller.Spec.Template.Spec.Containers[0].Args, "--restart-workloads"); got != want {
			t.Errorf("with %q the controller restarts workloads: %t", values, got)
		}
	}
}

// rightsOf follows the bindings from the service accounts to what they may do.
func rightsOf(t *testing.T, manifests *chart.Manifests) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	grant := func(subjects []rbacv1.Subject, where string, rules []rbacv1.PolicyRule) {
		for _, subject := range subjects {
			if subject.Kind != "ServiceAccount" || subject.Namespace != installNamespace {
				t.Errorf("rights go to %v, want service accounts of the install namespace only", subject)
			}
			for _, rule := range rules {
				found[subject.Name] = append(found[subject.Name], lines(t, where, rule)...)
			}
		}
	}
	clusterRoles := typed[rbacv1.ClusterRole](t, manifests, "ClusterRole")
	for _, binding := range typed[rbacv1.ClusterRoleBinding](t, manifests, "ClusterRoleBinding") {
		role, ok := clusterRoles[binding.RoleRef.Name]
		if aggregates(role) {
			continue // the rights that users give
		}
		if !ok || binding.RoleRef.Kind != "ClusterRole" || role.AggregationRule != nil {
			t.Errorf("%s binds %v, want a plain ClusterRole of the chart", binding.Name, binding.RoleRef)
		}
		grant(binding.Subjects, "cluster", role.Rules)
	}
	roles := typed[rbacv1.Role](t, manifests, "Role")
	for _, binding := range typed[rbacv1.RoleBinding](t, manifests, "RoleBinding") {
		role, ok := roles[binding.RoleRef.Name]
		if !ok || binding.RoleRef.Kind != "Role" {
			t.Errorf("%s binds %v, want a Role of the chart", binding.Name, binding.RoleRef)
		}
		grant(binding.Subjects, "install", role.Rules)
	}
	for _, all := range found {
		slices.Sort(all)
	}
	return found
}

func lines(t *testing.T, where string, rule rbacv1.PolicyRule) []string {
	t.Helper()
	for _, list := range [][]string{rule.APIGroups, rule.Resources, rule.Verbs} {
		if slices.Contains(list, "*") || len(list) == 0 {
			t.Errorf("a rule is too wide or empty: %v", rule)
		}
	}
	if len(rule.NonResourceURLs) > 0 {
		t.Errorf("a rule gives paths: %v", rule)
	}
	names := []string{""}
	if len(rule.ResourceNames) > 0 {
		names = nil
		for _, name := range rule.ResourceNames {
			names = append(names, "/"+name)
		}
	}
	verbs := strings.Join(slices.Sorted(slices.Values(rule.Verbs)), ",")
	var all []string
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, name := range names {
				all = append(all, where+": "+resource+"."+group+name+" "+verbs)
			}
		}
	}
	return all
}

func TestCredenceRulesHaveReasons(t *testing.T) {
	var files []string
	for pattern, want := range map[string]int{"*/rbac.yaml": len(rights) + 1, "roles/*.yaml": len(roles)} {
		found, err := filepath.Glob(credence + "/templates/" + pattern)
		if err != nil || len(found) != want {
			t.Fatalf("found %v, want one file for each process, the uninstallation and each role: %v", found, err)
		}
		files = append(files, found...)
	}
	rule := regexp.MustCompile(`^\s*- (apiGroups|nonResourceURLs|resources|verbs|resourceNames):`)
	reason := regexp.MustCompile(`^\s*# \S`)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		source := strings.Split(string(content), "\n")
		for i, line := range source {
			if !rule.MatchString(line) {
				continue
			}
			found++
			if !reason.MatchString(source[i-1]) {
				t.Errorf("%s:%d: the rule has no reason in a comment above it", file, i+1)
			}
		}
		if found == 0 {
			t.Errorf("%s: no rules found", file)
		}
	}
}
