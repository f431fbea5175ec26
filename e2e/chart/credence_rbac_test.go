// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
		"cluster: deployments.apps get",
		"cluster: jobs.batch get",
		"cluster: namespaces. get,list,watch",
		"cluster: replicasets.apps get",
		"cluster: replicationcontrollers. get",
		"cluster: statefulsets.apps get",
		"install: secrets./credence-webhook-ca get,list,watch",
	},
	"credence-controller": {
		"cluster: credentials.credence.dev get,list,patch,update,watch",
		"cluster: credentials/finalizers.credence.dev update",
		"cluster: credentials/status.credence.dev patch,update",
		"cluster: events.events.k8s.io create,patch",
		"cluster: mutatingwebhookconfigurations.admissionregistration.k8s.io get,list,watch",
		"cluster: mutatingwebhookconfigurations.admissionregistration.k8s.io/credence patch",
		"cluster: namespaces. get,list,watch",
		"cluster: secrets. create,delete,get,list,patch,watch",
		"cluster: validatingwebhookconfigurations.admissionregistration.k8s.io get,list,watch",
		"cluster: validatingwebhookconfigurations.admissionregistration.k8s.io/credence patch",
		"install: events. create,patch",
		"install: leases.coordination.k8s.io create",
		"install: leases.coordination.k8s.io/credence-controller get,update",
		"install: secrets./credence-webhook-ca update",
	},
}

func TestCredenceRights(t *testing.T) {
	for name, values := range variations {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(rights, rightsOf(t, rendered(t, values))); diff != "" {
				t.Errorf("rights (-want +got):\n%s", diff)
			}
		})
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
	files, err := filepath.Glob(credence + "/templates/*/rbac.yaml")
	if err != nil || len(files) != len(rights) {
		t.Fatalf("found %v, want one file for each process: %v", files, err)
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
