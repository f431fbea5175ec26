// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/cel/environment"
)

// judged is a policy as an API server evaluates it.
type judged struct {
	*testing.T
	conditions, validations, messages cel.ConditionEvaluator
	// may says whether jane has the rights that are asked for.
	may bool
}

// oneAnswer answers every question about rights in the same way.
type oneAnswer struct{ allow bool }

func (r oneAnswer) Authorize(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
	if r.allow {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

func judge(t *testing.T, kubernetes *version.Version, name string) *judged {
	t.Helper()
	policy, ok := typed[admissionregistrationv1.ValidatingAdmissionPolicy](t, rendered(t, ""), "ValidatingAdmissionPolicy")[name]
	if !ok {
		t.Fatalf("there is no policy %s", name)
	}
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(kubernetes))
	if err != nil {
		t.Fatal(err)
	}
	declared := cel.OptionalVariableDeclarations{HasParams: policy.Spec.ParamKind != nil, HasAuthorizer: true}
	for _, variable := range policy.Spec.Variables {
		compiler.CompileAndStoreVariable(expression{variable.Name, variable.Expression, celgo.DynType}, declared, environment.NewExpressions)
	}
	var conditions, validations, messages []cel.ExpressionAccessor
	for _, condition := range policy.Spec.MatchConditions {
		conditions = append(conditions, ptr(matchconditions.MatchCondition(condition)))
	}
	for _, validation := range policy.Spec.Validations {
		validations = append(validations, expression{"", validation.Expression, celgo.BoolType})
		if validation.MessageExpression != "" {
			messages = append(messages, expression{"", validation.MessageExpression, celgo.StringType})
		}
	}
	compile := func(all []cel.ExpressionAccessor) cel.ConditionEvaluator {
		return compiler.CompileCondition(all, declared, environment.NewExpressions)
	}
	return &judged{t, compile(conditions), compile(validations), compile(messages), true}
}

// deletion asks about deleting an object. The answer is empty if it may go.
func (j *judged) deletion(kind schema.GroupVersionKind, resource, object string, params runtime.Object, phase corev1.NamespacePhase) string {
	j.Helper()
	old := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(object), &old.Object); err != nil {
		j.Fatal(err)
	}
	plural := kind.GroupVersion().WithResource(resource)
	attributes := admission.NewAttributesRecord(nil, old, kind, "team-a", "openai", plural, "", admission.Delete, &metav1.DeleteOptions{}, false, &user.DefaultInfo{Name: "jane"})
	versioned := &admission.VersionedAttributes{Attributes: attributes, VersionedKind: kind, VersionedOldObject: admission.NewLazyObject(old)}
	request := cel.CreateAdmissionRequest(attributes, metav1.GroupVersionResource(plural), metav1.GroupVersionKind(kind))
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-a"}, Status: corev1.NamespaceStatus{Phase: phase}}
	bindings := cel.OptionalVariableBindings{VersionedParams: params, Authorizer: oneAnswer{j.may}}
	evaluate := func(evaluator cel.ConditionEvaluator) (values []any) {
		results, _, err := evaluator.ForInput(j.Context(), versioned, request, bindings, namespace, celconfig.RuntimeCELCostBudget)
		if err != nil {
			j.Fatal(err)
		}
		for _, result := range results {
			if result.Error != nil {
				j.Fatal(result.Error)
			}
			values = append(values, result.EvalResult.Value())
		}
		return values
	}
	refused := slices.Index(evaluate(j.validations), any(false))
	if slices.Contains(evaluate(j.conditions), any(false)) || refused < 0 {
		return ""
	}
	return fmt.Sprint(evaluate(j.messages)[refused])
}

// The words are those of the webhook (webhook/deletes), and nothing is kept in a
// namespace that goes.
func TestCredenceDeletePolicies(t *testing.T) {
	own := func(kind string) schema.GroupVersionKind {
		return schema.GroupVersionKind{Group: "credence.dev", Version: "v1alpha1", Kind: kind}
	}
	secret := schema.GroupVersionKind{Version: "v1", Kind: "Secret"}
	with := func(usedBy string) string {
		return `{"metadata": {"name": "openai"}, "status": {"usedBy": ` + usedBy + `}}`
	}
	const once = `{"total": 1, "workloads": 1, "names": ["Deployment team-a/web"]}`
	const many = `{"total": 7, "workloads": 6, "templates": 1, "names": ["Job a/1", "Job a/2", "Job a/3", "Job a/4", "Job a/5", "Job a/6", "PodTemplate a/p"]}`
	openai := func(usedBy, metadata string) runtime.Object {
		c := &unstructured.Unstructured{}
		if err := json.Unmarshal([]byte(`{"apiVersion": "credence.dev/v1alpha1", "kind": "Credential", "metadata": {"name": "openai"`+metadata+`},
			"spec": {"secretRef": {"name": "key"}}, "status": {"usedBy": `+usedBy+`}}`), &c.Object); err != nil {
			t.Fatal(err)
		}
		return c
	}
	const inUse, automatic, sources, copies = "credence-deletes-in-use", "credence-deletes-automatic", "credence-deletes-sources", "credence-copies"
	for name, test := range map[string]struct {
		policy   string
		kind     schema.GroupVersionKind
		resource string
		object   string
		params   runtime.Object
		want     string
	}{
		"once": {inUse, own("Credential"), "credentials", with(once), nil, `credential "openai" is used by 1 workload: Deployment team-a/web; detach it there first`},
		"by more than are named": {inUse, own("Credential"), "credentials", with(`{"total": 4, "workloads": 3, "templates": 1, "names": ["Deployment team-a/web", "CronJob team-b/nightly"]}`), nil,
			`credential "openai" is used by 3 workloads and 1 template: Deployment team-a/web, CronJob team-b/nightly, … ; detach it there first`},
		"many names": {inUse, own("Credential"), "credentials", with(many), nil,
			`credential "openai" is used by 6 workloads and 1 template: Job a/1, Job a/2, Job a/3, Job a/4, Job a/5, … ; detach it there first`},
		"all kinds of users": {inUse, own("Credential"), "credentials", with(`{"total": 7, "workloads": 1, "templates": 2, "environments": 1, "dataSources": 3, "names": ["Pod a/b"]}`), nil,
			`credential "openai" is used by 1 workload, 2 templates, 1 environment and 3 data sources: Pod a/b, … ; detach it there first`},
		"an environment":                       {inUse, own("Environment"), "environments", with(once), nil, `environment "openai" is used by 1 workload: Deployment team-a/web; detach it there first`},
		"a data source":                        {inUse, own("DataSource"), "datasources", with(once), nil, `data source "openai" is used by 1 workload: Deployment team-a/web; detach it there first`},
		"a template":                           {inUse, own("WorkloadTemplate"), "workloadtemplates", with(once), nil, `template "openai" is used by 1 workload: Deployment team-a/web; detach it there first`},
		"not used":                             {inUse, own("Credential"), "credentials", with(`{"total": 0, "automatic": 3}`), nil, ""},
		"no status":                            {inUse, own("Credential"), "credentials", `{"metadata": {"name": "openai"}}`, nil, ""},
		"automatically":                        {automatic, own("Credential"), "credentials", with(`{"total": 0, "automatic": 12}`), nil, `credential "openai" is the automatic pull secret of 12 workloads; new pods there pull their images without it`},
		"by one":                               {automatic, own("Credential"), "credentials", with(`{"automatic": 1}`), nil, `credential "openai" is the automatic pull secret of 1 workload; new pods there pull their images without it`},
		"both":                                 {automatic, own("Credential"), "credentials", with(`{"total": 1, "automatic": 12}`), nil, ""},
		"its source":                           {sources, secret, "secrets", `{"metadata": {"name": "key"}}`, openai(once, ""), `it holds the values of credential "openai", which is used by 1 workload: Deployment team-a/web; detach it there first`},
		"another source":                       {sources, secret, "secrets", `{"metadata": {"name": "other"}}`, openai(once, ""), ""},
		"its source, unused":                   {sources, secret, "secrets", `{"metadata": {"name": "key"}}`, openai(`{"total": 0, "automatic": 2}`, ""), ""},
		"its source, forced":                   {sources, secret, "secrets", `{"metadata": {"name": "key", "annotations": {"credence.dev/force-delete": "keep"}}}`, openai(once, ""), ""},
		"its source, the credential is forced": {sources, secret, "secrets", `{"metadata": {"name": "key"}}`, openai(once, `, "annotations": {"credence.dev/force-delete": "true"}`), ""},
		"its source, going":                    {sources, secret, "secrets", `{"metadata": {"name": "key", "deletionTimestamp": "2026-06-30T00:00:00Z"}}`, openai(once, ""), ""},
		"a copy": {copies, secret, "secrets", `{"metadata": {"name": "c", "labels": {"credence.dev/copy-of": "openai", "app.kubernetes.io/managed-by": "credence"},
			"annotations": {"credence.dev/copy-of-uid": "u", "credence.dev/fingerprint": "k:1"}}}`, nil,
			`it is the copy of credential "openai" that Credence keeps here; change or delete the credential or its source, and the copy follows`},
		"not quite a copy": {copies, secret, "secrets", `{"metadata": {"name": "c", "labels": {"credence.dev/copy-of": "openai"}, "annotations": {"credence.dev/fingerprint": "k:1"}}}`, nil, ""},
	} {
		for _, kubernetes := range []*version.Version{version.MajorMinor(1, 30), environment.DefaultCompatibilityVersion()} {
			t.Run(kubernetes.String()+"/"+name, func(t *testing.T) {
				policy := judge(t, kubernetes, test.policy)
				for phase, want := range map[corev1.NamespacePhase]string{corev1.NamespaceActive: test.want, corev1.NamespaceTerminating: ""} {
					if diff := cmp.Diff(want, policy.deletion(test.kind, test.resource, test.object, test.params, phase)); diff != "" {
						t.Errorf("in a namespace that is %s (-want +got):\n%s", phase, diff)
					}
				}
			})
		}
	}
}

// Who may not delete what is wider than a project is not told of those who use it.
func TestCredenceUsersAreNotToldOf(t *testing.T) {
	const object = `{"metadata": {"name": "openai"}, "spec": {"scope": %s}, "status": {"usedBy": {"total": 1, "workloads": 1, "names": ["Deployment team-b/web"]}}}`
	const told = `credential "openai" is used by 1 workload: Deployment team-b/web; detach it there first`
	kind := schema.GroupVersionKind{Group: "credence.dev", Version: "v1alpha1", Kind: "Credential"}
	for scope, want := range map[string]string{
		`{"level": "project"}`:                              told,
		`{"level": "department", "department": "research"}`: `credential "openai" is in use, and deleting it needs the right "propagate" on departments.credence.dev/research`,
		`{"level": "cluster"}`:                              `credential "openai" is in use, and deleting it needs the right "propagate" on clusters.credence.dev/local`,
	} {
		for _, kubernetes := range []*version.Version{version.MajorMinor(1, 30), environment.DefaultCompatibilityVersion()} {
			policy := judge(t, kubernetes, "credence-deletes-in-use")
			for may, want := range map[bool]string{true: told, false: want} {
				policy.may = may
				if diff := cmp.Diff(want, policy.deletion(kind, "credentials", fmt.Sprintf(object, scope), nil, corev1.NamespaceActive)); diff != "" {
					t.Errorf("%s, with the right: %t (-want +got):\n%s", scope, may, diff)
				}
			}
			if said := policy.deletion(kind, "credentials", fmt.Sprintf(object, scope), nil, corev1.NamespaceTerminating); said != "" {
				t.Errorf("%s, in a namespace that goes: %s", scope, said)
			}
		}
	}
}
