// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/cel/environment"
)

// policies are all that the chart has, with what they see: operations and
// resources.
var policies = map[string][]string{
	"credence-rights-forcedelete": {"CREATE,UPDATE Namespaced credentials.credence.dev"},
	"credence-rights-join":        {"CREATE,UPDATE Cluster namespaces,namespaces/finalize,namespaces/status."},
	"credence-rights-propagate":   {"CREATE,DELETE,UPDATE Namespaced credentials.credence.dev"},
}

func TestCredencePolicies(t *testing.T) {
	for name, values := range variations {
		t.Run(name, func(t *testing.T) {
			manifests := rendered(t, values)
			found := map[string][]string{}
			for name, policy := range typed[admissionregistrationv1.ValidatingAdmissionPolicy](t, manifests, "ValidatingAdmissionPolicy") {
				match := policy.Spec.MatchConstraints
				if *policy.Spec.FailurePolicy != admissionregistrationv1.Fail || *match.MatchPolicy != admissionregistrationv1.Equivalent ||
					match.NamespaceSelector != nil || match.ObjectSelector != nil || len(match.ExcludeResourceRules) > 0 {
					t.Errorf("%s can be got around: %v %v", name, *policy.Spec.FailurePolicy, match)
				}
				for _, rule := range match.ResourceRules {
					var operations []string
					for _, operation := range rule.Operations {
						operations = append(operations, string(operation))
					}
					found[name] = append(found[name], strings.Join([]string{
						sorted(operations), string(*rule.Scope), sorted(rule.Resources) + "." + strings.Join(rule.APIGroups, ","),
					}, " "))
				}
			}
			if diff := cmp.Diff(policies, found); diff != "" {
				t.Errorf("policies (-want +got):\n%s", diff)
			}
			bound := map[string]admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{}
			for name, binding := range typed[admissionregistrationv1.ValidatingAdmissionPolicyBinding](t, manifests, "ValidatingAdmissionPolicyBinding") {
				bound[name] = binding.Spec
			}
			want := map[string]admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{}
			for name := range policies {
				want[name] = admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
					PolicyName: name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
				}
			}
			if diff := cmp.Diff(want, bound); diff != "" {
				t.Errorf("bindings (-want +got):\n%s", diff)
			}
		})
	}
}

func sorted(list []string) string { return strings.Join(slices.Sorted(slices.Values(list)), ",") }

// The API server stores a policy only if it compiles as a new one in the cluster's
// version. Rules may ask for a right twice at most: the cost of a third is more
// than an expression may have.
func TestCredencePoliciesCompile(t *testing.T) {
	for _, kubernetes := range []*version.Version{version.MajorMinor(1, 30), environment.DefaultCompatibilityVersion()} {
		for name, values := range variations {
			t.Run(kubernetes.String()+"/"+name, func(t *testing.T) {
				for name, policy := range typed[admissionregistrationv1.ValidatingAdmissionPolicy](t, rendered(t, values), "ValidatingAdmissionPolicy") {
					for _, err := range compilePolicy(t, kubernetes, policy.Spec) {
						t.Errorf("%s: %v", name, err)
					}
					for _, validation := range policy.Spec.Validations {
						if strings.Count(validation.Expression, "authorizer.") > 2 {
							t.Errorf("%s costs too much: %s", name, validation.Expression)
						}
						if strings.Contains(validation.MessageExpression, "authorizer") || validation.Message == "" && validation.MessageExpression == "" {
							t.Errorf("%s has no message that can be made: %q", name, validation.MessageExpression)
						}
					}
					for _, condition := range policy.Spec.MatchConditions {
						if strings.Contains(condition.Expression, "namespaceObject") {
							t.Errorf("%s: match conditions do not know the namespace: %s", name, condition.Expression)
						}
					}
				}
			})
		}
	}
}

// compilePolicy compiles as match conditions what is in a policy: the type of those
// is at hand. Variables are written out, messages compared.
func compilePolicy(t *testing.T, kubernetes *version.Version, policy admissionregistrationv1.ValidatingAdmissionPolicySpec) []error {
	t.Helper()
	var written []string
	for _, variable := range policy.Variables {
		written = append(written, "variables."+variable.Name, "("+variable.Expression+")")
	}
	variables := strings.NewReplacer(written...)

	var conditions []admissionregistrationv1.MatchCondition
	add := func(expression string) {
		conditions = append(conditions, admissionregistrationv1.MatchCondition{Name: "one", Expression: variables.Replace(expression)})
	}
	for _, condition := range policy.MatchConditions {
		add(condition.Expression)
	}
	for _, validation := range policy.Validations {
		add(validation.Expression)
		if validation.MessageExpression != "" {
			add("(" + validation.MessageExpression + ") == ''")
		}
	}
	expressions := make([]cel.ExpressionAccessor, len(conditions))
	for i := range conditions {
		expressions[i] = ptr(matchconditions.MatchCondition(conditions[i]))
	}
	compiler := cel.NewConditionCompiler(environment.MustBaseEnvSet(kubernetes))
	return compiler.CompileCondition(expressions, cel.OptionalVariableDeclarations{HasAuthorizer: true}, environment.NewExpressions).CompilationErrors()
}

// The labels that make projects and departments are settings, and the namespace
// for what belongs to the cluster is one.
func TestCredencePoliciesFollowTheSettings(t *testing.T) {
	content := func(values, name string) string {
		policy, ok := typed[admissionregistrationv1.ValidatingAdmissionPolicy](t, rendered(t, values), "ValidatingAdmissionPolicy")[name]
		if !ok {
			t.Fatalf("there is no %s", name)
		}
		return policy.Spec.String()
	}
	other := variations["other labels and namespaces"]
	for name, want := range map[string]map[string][]string{
		"credence-rights-join": {
			"":    {"'credence.dev/project'", "'credence.dev/department'", "'credence.dev/project-id'", "'credence.dev/department-home'"},
			other: {"'runai/queue'", "'runai/department'", "'credence.dev/project-id'", "'credence.dev/department-home'"},
		},
		"credence-rights-forcedelete": {"": {"'credence.dev/project'"}, other: {"'runai/queue'"}},
		"credence-rights-propagate":   {"": {"== 'credence-credentials'"}, other: {"== 'runai'"}},
	} {
		for values, all := range want {
			for _, part := range all {
				if !strings.Contains(content(values, name), part) {
					t.Errorf("%s with %q does not say %s", name, values, part)
				}
			}
			if values == other && strings.Contains(content(values, name), "'credence.dev/project'") {
				t.Errorf("%s with %q still follows the default label", name, values)
			}
		}
	}
}
