// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"slices"
	"strings"
	"testing"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/cel/environment"
)

// everyOwn are our resources that have a scope.
const everyOwn = "credentials,datasources,environments,workloadtemplates.credence.dev"

// policies are all that the chart has, with what they see: operations and
// resources.
var policies = map[string][]string{
	"credence-copies":                     {"CREATE,DELETE,UPDATE Namespaced secrets."},
	"credence-deletes-automatic":          {"DELETE Namespaced " + everyOwn},
	"credence-deletes-in-use":             {"DELETE Namespaced " + everyOwn},
	"credence-deletes-sources":            {"DELETE Namespaced secrets."},
	"credence-rights-forcedelete":         {"CREATE,UPDATE Namespaced " + everyOwn},
	"credence-rights-forcedelete-sources": {"CREATE,UPDATE Namespaced secrets."},
	"credence-rights-join":                {"CREATE,UPDATE Cluster namespaces,namespaces/finalize,namespaces/status."},
	"credence-rights-propagate":           {"CREATE,DELETE,UPDATE Namespaced " + everyOwn},
}

// failingOpen are those that only warn, or depend on what may be missing.
var failingOpen = []string{"credence-deletes-automatic", "credence-deletes-sources"}

func having(label string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: label, Operator: metav1.LabelSelectorOpExists}}}
}

// bindings are those of the policies: one for each, but two for those of sources, which
// have one of two labels.
func bindings() map[string]admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec {
	all := map[string]admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{}
	for name := range policies {
		all[name] = admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		}
	}
	warns := all["credence-deletes-automatic"]
	warns.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Warn}
	all["credence-deletes-automatic"] = warns
	for _, name := range []string{"credence-deletes-sources", "credence-rights-forcedelete-sources"} {
		for suffix, label := range map[string]string{"-labelled": "run.ai/resource", "-made": "credence.dev/source-of"} {
			one := all[name]
			one.MatchResources = &admissionregistrationv1.MatchResources{ObjectSelector: having(label)}
			if name == "credence-deletes-sources" {
				one.ParamRef = &admissionregistrationv1.ParamRef{Selector: &metav1.LabelSelector{}, ParameterNotFoundAction: ptr(admissionregistrationv1.AllowAction)}
			}
			all[name+suffix] = one
		}
		delete(all, name)
	}
	return all
}

func TestCredencePolicies(t *testing.T) {
	for name, values := range variations {
		t.Run(name, func(t *testing.T) {
			manifests := rendered(t, values)
			found := map[string][]string{}
			for name, policy := range typed[admissionregistrationv1.ValidatingAdmissionPolicy](t, manifests, "ValidatingAdmissionPolicy") {
				match, failure, selector := policy.Spec.MatchConstraints, admissionregistrationv1.Fail, (*metav1.LabelSelector)(nil)
				if slices.Contains(failingOpen, name) {
					failure = admissionregistrationv1.Ignore
				}
				if name == "credence-copies" {
					selector = having("credence.dev/copy-of")
				}
				if *policy.Spec.FailurePolicy != failure || *match.MatchPolicy != admissionregistrationv1.Equivalent ||
					match.NamespaceSelector != nil || !cmp.Equal(match.ObjectSelector, selector) || len(match.ExcludeResourceRules) > 0 {
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
			if diff := cmp.Diff(bindings(), bound); diff != "" {
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

// expression is one of a policy, as compilers take it.
type expression struct {
	name, text string
	is         *celgo.Type
}

func (e expression) GetName() string            { return e.name }
func (e expression) GetExpression() string      { return e.text }
func (e expression) ReturnTypes() []*celgo.Type { return []*celgo.Type{e.is, celgo.AnyType} }

// compilePolicy compiles what is in a policy as an API server does.
func compilePolicy(t *testing.T, kubernetes *version.Version, policy admissionregistrationv1.ValidatingAdmissionPolicySpec) []error {
	t.Helper()
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(kubernetes))
	if err != nil {
		t.Fatal(err)
	}
	declared := cel.OptionalVariableDeclarations{HasAuthorizer: true, HasParams: policy.ParamKind != nil}
	var errs []error
	for _, variable := range policy.Variables {
		result := compiler.CompileAndStoreVariable(expression{variable.Name, variable.Expression, celgo.DynType}, declared, environment.NewExpressions)
		if result.Error != nil {
			errs = append(errs, result.Error)
		}
	}
	var conditions, messages []cel.ExpressionAccessor
	for _, condition := range policy.MatchConditions {
		conditions = append(conditions, ptr(matchconditions.MatchCondition(condition)))
	}
	for _, validation := range policy.Validations {
		conditions = append(conditions, expression{"", validation.Expression, celgo.BoolType})
		if validation.MessageExpression != "" {
			messages = append(messages, expression{"", validation.MessageExpression, celgo.StringType})
		}
	}
	errs = append(errs, compiler.CompileCondition(conditions, declared, environment.NewExpressions).CompilationErrors()...)
	declared.HasAuthorizer = false // messages have none
	return append(errs, compiler.CompileCondition(messages, declared, environment.NewExpressions).CompilationErrors()...)
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
