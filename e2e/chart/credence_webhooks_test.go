// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/cel/environment"
)

func ptr[T any](value T) *T { return &value }

// entries are the entries of the mutating webhook configuration, without their match
// conditions, as they should be. Other variations than those of clientConfig and
// project label make no difference.
func entries(clientConfig func(path string) admissionregistrationv1.WebhookClientConfig, projectLabel string) []admissionregistrationv1.MutatingWebhook {
	elsewhere := metav1.LabelSelectorRequirement{
		Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"kube-system", installNamespace},
	}
	common := admissionregistrationv1.MutatingWebhook{
		Rules: []admissionregistrationv1.RuleWithOperations{{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
			Rule: admissionregistrationv1.Rule{
				APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"},
				Scope: ptr(admissionregistrationv1.NamespacedScope),
			},
		}},
		MatchPolicy:             ptr(admissionregistrationv1.Equivalent),
		SideEffects:             ptr(admissionregistrationv1.SideEffectClassNone),
		TimeoutSeconds:          ptr(int32(5)),
		AdmissionReviewVersions: []string{"v1"},
	}
	inject, pullSecrets := *common.DeepCopy(), *common.DeepCopy()
	inject.Name = "inject.pods.credence.dev"
	inject.ClientConfig = clientConfig("/pods/inject")
	inject.FailurePolicy = ptr(admissionregistrationv1.Fail)
	inject.ReinvocationPolicy = ptr(admissionregistrationv1.NeverReinvocationPolicy)
	inject.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{elsewhere}}

	pullSecrets.Name = "pull-secrets.pods.credence.dev"
	pullSecrets.ClientConfig = clientConfig("/pods/pull-secrets")
	pullSecrets.FailurePolicy = ptr(admissionregistrationv1.Ignore)
	pullSecrets.ReinvocationPolicy = ptr(admissionregistrationv1.IfNeededReinvocationPolicy)
	pullSecrets.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: projectLabel, Operator: metav1.LabelSelectorOpExists}, elsewhere,
	}}
	carry, templates := workloadEntries(clientConfig)
	carry.NamespaceSelector, templates.NamespaceSelector = inject.NamespaceSelector, pullSecrets.NamespaceSelector
	return []admissionregistrationv1.MutatingWebhook{inject, pullSecrets, carry, templates, stamp(clientConfig)}
}

func inCluster(path string) admissionregistrationv1.WebhookClientConfig {
	return admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{
		Namespace: installNamespace, Name: "credence-webhook", Path: &path, Port: ptr(int32(443)),
	}}
}

func outside(path string) admissionregistrationv1.WebhookClientConfig {
	return admissionregistrationv1.WebhookClientConfig{URL: ptr("https://127.0.0.1:9443" + path)}
}

func TestCredenceWebhooks(t *testing.T) {
	cases := map[string]struct {
		values       string
		clientConfig func(string) admissionregistrationv1.WebhookClientConfig
		projectLabel string
	}{
		"defaults":          {"", inCluster, "credence.dev/project"},
		"a webhook outside": {variations["a webhook outside"], outside, "credence.dev/project"},
		"other labels":      {variations["other labels and namespaces"], inCluster, "runai/queue"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			got := webhooks(t, test.values)
			for i := range got {
				got[i].MatchConditions = nil
			}
			if diff := cmp.Diff(entries(test.clientConfig, test.projectLabel), got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

// webhooks returns the entries of the mutating webhook configuration.
func webhooks(t *testing.T, values string) []admissionregistrationv1.MutatingWebhook {
	t.Helper()
	configurations := typed[admissionregistrationv1.MutatingWebhookConfiguration](t, rendered(t, values), "MutatingWebhookConfiguration")
	configuration, ok := configurations["credence"]
	if !ok || len(configurations) != 1 {
		t.Fatalf("%d webhook configurations, want the one named credence", len(configurations))
	}
	return configuration.Webhooks
}

// Which entry a pod goes to.
const (
	injected    = "inject.pods.credence.dev"
	pullSecrets = "pull-secrets.pods.credence.dev"
	nowhere     = ""
)

func TestCredenceMatchConditions(t *testing.T) {
	cases := map[string]struct {
		annotations string // JSON; empty: there is no such field
		want        string
	}{
		"no annotations":              {``, pullSecrets},
		"null":                        {`null`, pullSecrets},
		"empty":                       {`{}`, pullSecrets},
		"foreign ones":                {`{"example.com/credence.dev": "x", "credence": "", "sidecar.istio.io/inject": "false"}`, pullSecrets},
		"another domain":              {`{"notcredence.dev/credentials": "openai"}`, pullSecrets},
		"a domain below another":      {`{"credence.dev.example.com/credentials": "openai"}`, pullSecrets},
		"any character for the dot":   {`{"credence-dev/credentials": "openai"}`, pullSecrets},
		"ours as a value":             {`{"example.com/x": "credence.dev/credentials"}`, pullSecrets},
		"what we write":               {`{"credence.dev/injected": "{}", "credence.dev/restarted-for": "k:1", "credence.dev/warnings": "[]"}`, pullSecrets},
		"ours":                        {`{"credence.dev/credentials": "openai"}`, injected},
		"ours among others":           {`{"a": "b", "credence.dev/injected": "{}", "credence.dev/env": "A=b/c", "x/y": "z"}`, injected},
		"a variable":                  {`{"env.credence.dev/A": "openai/key"}`, injected},
		"a mount":                     {`{"mount.credence.dev/keys": "openai:/keys"}`, injected},
		"nothing at all":              {`{"credence.dev/inject": "false"}`, injected},
		"an unknown one":              {`{"credence.dev/credential": "openai"}`, injected},
		"an unknown subdomain":        {`{"envs.credence.dev/A": "openai/key"}`, injected},
		"a deep subdomain":            {`{"a.b-1.credence.dev/A": "openai/key"}`, injected},
		"another case":                {`{"Credence.dev/x": ""}`, injected},
		"upper case":                  {`{"ENV.CREDENCE.DEV/A": "openai/key"}`, injected},
		"what we write, misspelt":     {`{"Credence.dev/injected": "{}"}`, injected},
		"a mirror pod":                {`{"kubernetes.io/config.mirror": "x"}`, nowhere},
		"an annotated mirror pod":     {`{"kubernetes.io/config.mirror": "x", "credence.dev/credentials": "openai"}`, nowhere},
		"as many as are looked at":    {many(1000, "example.com/"), pullSecrets},
		"ours among as many":          {many(999, "example.com/", "credence.dev/credentials"), injected},
		"long names":                  {many(1000, strings.Repeat("a.", 126)+"a/"+strings.Repeat("b", 59)), pullSecrets},
		"more than are looked at":     {many(1001, "example.com/"), injected},
		"as many as a pod may have":   {many(80_000, ""), injected},
		"a mirror pod with very many": {many(1001, "example.com/", "kubernetes.io/config.mirror"), nowhere},
	}
	for _, kubernetes := range []*version.Version{version.MajorMinor(1, 30), environment.DefaultCompatibilityVersion()} {
		conditions := compile(t, kubernetes, "pods")
		for name, test := range cases {
			t.Run(kubernetes.String()+"/"+name, func(t *testing.T) {
				for as, pod := range pods(t, test.annotations) {
					got := nowhere
					for entry, matcher := range conditions {
						result := matcher.Match(t.Context(), creation(pod), nil, nil)
						if result.Error != nil {
							t.Errorf("%s: %s cannot be decided, which would refuse the pod: %v", as, entry, result.Error)
						}
						if result.Matches {
							got += entry
						}
					}
					if got != test.want {
						t.Errorf("%s: the pod goes to %q, want %q", as, got, test.want)
					}
				}
			})
		}
	}
}

// compile compiles the match conditions of the entries for a resource as the API
// server does, but as a new expression in a cluster of that version, and with errors
// that show.
func compile(t *testing.T, kubernetes *version.Version, resource string) map[string]matchconditions.Matcher {
	t.Helper()
	compiler := cel.NewConditionCompiler(environment.MustBaseEnvSet(kubernetes))
	compiled := map[string]matchconditions.Matcher{}
	for entry, conditions := range conditionsFor(t, resource) {
		var expressions []cel.ExpressionAccessor
		for _, condition := range conditions {
			expressions = append(expressions, ptr(matchconditions.MatchCondition(condition)))
		}
		evaluator := compiler.CompileCondition(expressions, cel.OptionalVariableDeclarations{HasAuthorizer: true}, environment.NewExpressions)
		if errs := evaluator.CompilationErrors(); len(errs) > 0 {
			t.Fatalf("%s: %v", entry, errs)
		}
		compiled[entry] = matchconditions.NewMatcher(evaluator, ptr(admissionregistrationv1.Fail), "webhook", "admit", entry)
	}
	return compiled
}

// conditionsFor are the match conditions of the entries for a resource, by entry.
func conditionsFor(t *testing.T, resource string) map[string][]admissionregistrationv1.MatchCondition {
	t.Helper()
	found := map[string][]admissionregistrationv1.MatchCondition{}
	for _, entry := range webhooks(t, "") {
		if slices.Contains(entry.Rules[0].Resources, resource) {
			found[entry.Name] = entry.MatchConditions
		}
	}
	for _, entry := range validatingWebhooks(t, "") {
		if slices.Contains(entry.Rules[0].Resources, resource) {
			found[entry.Name] = entry.MatchConditions
		}
	}
	return found
}

// pods returns a pod with these annotations, as the API server's type and as it
// may be without one.
func pods(t *testing.T, annotations string) map[string]runtime.Object {
	t.Helper()
	metadata := `{"name": "web"}`
	if annotations != "" {
		metadata = fmt.Sprintf(`{"name": "web", "annotations": %s}`, annotations)
	}
	document := fmt.Appendf(nil, `{"apiVersion": "v1", "kind": "Pod", "metadata": %s, "spec": {}}`, metadata)
	pod, untyped := &corev1.Pod{}, &unstructured.Unstructured{}
	if err := json.Unmarshal(document, pod); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(document, &untyped.Object); err != nil {
		t.Fatal(err)
	}
	return map[string]runtime.Object{"typed": pod, "untyped": untyped}
}

// many returns count annotations, whose names begin with prefix, and others.
func many(count int, prefix string, others ...string) string {
	annotations := map[string]string{}
	for i := range count {
		annotations[fmt.Sprintf("%s%04x", prefix, i)] = ""
	}
	for _, name := range others {
		annotations[name] = ""
	}
	document, err := json.Marshal(annotations)
	if err != nil {
		panic(err) // strings can be encoded
	}
	return string(document)
}

func creation(pod runtime.Object) *admission.VersionedAttributes {
	kind := corev1.SchemeGroupVersion.WithKind("Pod")
	return &admission.VersionedAttributes{
		Attributes: admission.NewAttributesRecord(pod, nil, kind, "team-a", "web", corev1.SchemeGroupVersion.WithResource("pods"),
			"", admission.Create, &metav1.CreateOptions{}, false, nil),
		VersionedObject: admission.NewLazyObject(pod),
		VersionedKind:   kind,
	}
}
