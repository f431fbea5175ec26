// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/credence-dev/credence/injector/workload"
)

// workloadEntries are the entries for workloads, without their match conditions and
// namespaces. The rules come from the table of the kinds.
func workloadEntries(clientConfig func(path string) admissionregistrationv1.WebhookClientConfig) (carry, pullSecrets admissionregistrationv1.MutatingWebhook) {
	common := admissionregistrationv1.MutatingWebhook{
		FailurePolicy:           ptr(admissionregistrationv1.Ignore),
		ReinvocationPolicy:      ptr(admissionregistrationv1.IfNeededReinvocationPolicy),
		MatchPolicy:             ptr(admissionregistrationv1.Equivalent),
		SideEffects:             ptr(admissionregistrationv1.SideEffectClassNone),
		TimeoutSeconds:          ptr(int32(5)),
		AdmissionReviewVersions: []string{"v1"},
	}
	carry, pullSecrets = *common.DeepCopy(), *common.DeepCopy()
	carry.Name, carry.ClientConfig = "carry.workloads.credence.dev", clientConfig("/workloads/carry")
	var pulling []workload.Kind
	for _, kind := range workload.ThirdParty() {
		if kind.PullSecrets {
			pulling = append(pulling, kind)
		}
	}
	carry.Rules = rulesFor(slices.Concat(slices.DeleteFunc(workload.BuiltIn(), func(k workload.Kind) bool { return !k.Carries }), sortedKinds()))
	pullSecrets.Name, pullSecrets.ClientConfig = "pull-secrets.workloads.credence.dev", clientConfig("/workloads/pull-secrets")
	pullSecrets.Rules = rulesFor(pulling)
	return carry, pullSecrets
}

// sortedKinds are the third-party kinds by group, those of another version last.
func sortedKinds() []workload.Kind {
	return slices.SortedFunc(slices.Values(workload.ThirdParty()), func(a, b workload.Kind) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), slices.Compare(a.Versions, b.Versions), strings.Compare(a.Resource, b.Resource))
	})
}

// rulesFor puts kinds of one group and versions into one rule.
func rulesFor(kinds []workload.Kind) []admissionregistrationv1.RuleWithOperations {
	var rules []admissionregistrationv1.RuleWithOperations
	for _, kind := range kinds {
		if last := len(rules) - 1; last >= 0 && rules[last].APIGroups[0] == kind.Group && slices.Equal(rules[last].APIVersions, kind.Versions) {
			rules[last].Resources = append(rules[last].Resources, kind.Resource)
			continue
		}
		rules = append(rules, admissionregistrationv1.RuleWithOperations{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
			Rule: admissionregistrationv1.Rule{
				APIGroups: []string{kind.Group}, APIVersions: kind.Versions, Resources: []string{kind.Resource}, Scope: ptr(admissionregistrationv1.NamespacedScope),
			},
		})
	}
	return rules
}

// followRights are what the controller may do with the third-party kinds that are
// known.
func followRights() []string { return rightsOn(workload.ThirdParty(), "list,watch") }

// carryRights are what it may do besides where it carries: not with kinds whose
// templates never change.
func carryRights() []string {
	return rightsOn(slices.DeleteFunc(slices.Concat(workload.BuiltIn(), workload.ThirdParty()), func(k workload.Kind) bool {
		return !k.Carries || k.OnlyNew
	}), "get,patch")
}

func rightsOn(kinds []workload.Kind, verbs string) []string {
	var rights []string
	for _, kind := range kinds {
		rights = append(rights, "cluster: "+kind.Resource+"."+kind.Group+" "+verbs)
	}
	return rights
}

// aggregates says whether a role is the one that gets rights from those of users.
func aggregates(role rbacv1.ClusterRole) bool {
	return role.Name == "credence-workload-kinds" && len(role.Rules) == 0 && role.AggregationRule != nil &&
		gocmp.Equal(role.AggregationRule.ClusterRoleSelectors, []metav1.LabelSelector{{MatchLabels: map[string]string{"credence.dev/aggregate-to-controller": "true"}}})
}

// The right to patch workloads and the flag that uses it come together.
func TestCredenceRepair(t *testing.T) {
	for values, want := range map[string]bool{"": false, variations["carrying"]: true} {
		controller := typed[appsv1.Deployment](t, rendered(t, values), "Deployment")["credence-controller"]
		if got := slices.Contains(controller.Spec.Template.Spec.Containers[0].Args, "--repair=carry"); got != want {
			t.Errorf("with %q the controller carries: %t", values, got)
		}
	}
}

// Which workloads need the webhook.
func TestCredenceWorkloadMatchConditions(t *testing.T) {
	const ours = `"credence.dev/credentials": "openai"`
	object := func(annotations, rest string) string {
		return `{"metadata": {"name": "web", "annotations": {` + annotations + `}` + rest + `}`
	}
	inTemplate := func(annotations string) string {
		return object("", `}, "spec": {"template": {"metadata": {"annotations": {`+annotations+`}}}}`)
	}
	cases := map[string]struct {
		object string
		want   bool
	}{
		"no annotations":            {`{"metadata": {"name": "web"}, "spec": {"template": {"metadata": {}}}}`, false},
		"no spec":                   {`{"metadata": {"name": "web"}}`, false},
		"null":                      {`{"metadata": {"name": "web", "annotations": null}}`, false},
		"foreign ones":              {object(`"example.com/credence.dev": "x"`, `}`), false},
		"ours":                      {object(ours, `}`), true},
		"a variable":                {object(`"env.credence.dev/A": "openai/key"`, `}`), true},
		"misspelt":                  {object(`"Credence.dev/x": ""`, `}`), true},
		"what was carried":          {object(`"credence.dev/carried": "x"`, `}`), true},
		"what else we write":        {object(`"credence.dev/restarts": "{}", "credence.dev/injected": "{}", "credence.dev/restarted-for": "k", "credence.dev/warnings": "[]"`, `}`), false},
		"in the template":           {inTemplate(ours), true},
		"the template's restart":    {inTemplate(`"credence.dev/restarted-for": "k"`), false},
		"in a CronJob's template":   {object("", `}, "spec": {"jobTemplate": {"spec": {"template": {"metadata": {"annotations": {`+ours+`}}}}}}`), true},
		"on a CronJob's Job":        {object("", `}, "spec": {"jobTemplate": {"metadata": {"annotations": {`+ours+`}}}}`), false},
		"of a controller":           {object(ours, `, "ownerReferences": [{"kind": "Deployment", "controller": true}]}`), false},
		"of an owner":               {object(ours, `, "ownerReferences": [{"kind": "App", "controller": false}, {"kind": "App"}]}`), true},
		"of many, one controls":     {object(ours, `, "ownerReferences": [{"kind": "App"}, {"kind": "Deployment", "controller": true}]}`), false},
		"very many":                 {`{"metadata": {"annotations": ` + many(301, "example.com/") + `}}`, true},
		"as many as are looked at":  {`{"metadata": {"annotations": ` + many(300, strings.Repeat("a.", 126)+"a/"+strings.Repeat("b", 59)) + `}, "spec": {"template": {"metadata": {"annotations": ` + many(300, strings.Repeat("a.", 126)+"a/"+strings.Repeat("b", 59)) + `}}}}`, false},
		"a template without a spec": {`{"metadata": {}, "spec": {"template": null}}`, false},
	}
	for _, kubernetes := range []*version.Version{version.MajorMinor(1, 30), environment.DefaultCompatibilityVersion()} {
		carry := compile(t, kubernetes, "replicationcontrollers")["carry.workloads.credence.dev"]
		for name, test := range cases {
			t.Run(kubernetes.String()+"/"+name, func(t *testing.T) {
				result := carry.Match(t.Context(), writeOf(t, "", test.object), nil, nil)
				if name == "a template without a spec" {
					return // it need not be decided, only not be asked about in vain: the API server refuses it
				}
				if result.Error != nil || result.Matches != test.want {
					t.Errorf("asked: %t (%v), want %t", result.Matches, result.Error, test.want)
				}
			})
		}
		pull := compile(t, kubernetes, "services")["pull-secrets.workloads.credence.dev"]
		plain, other := `{"metadata": {"name": "web"}, "spec": {"template": {"spec": {"a": 1}}}}`, `{"metadata": {"name": "web", "labels": {"a": "b"}}, "spec": {"template": {"spec": {"a": 1}}}}`
		for name, test := range map[string]struct {
			old, object string
			want        bool
		}{
			"new":                  {"", plain, true},
			"the template stays":   {plain, other, false},
			"the template changes": {plain, strings.Replace(plain, `"a": 1`, `"a": 2`, 1), true},
			"annotated":            {"", object(ours, `}`), false},
		} {
			if result := pull.Match(t.Context(), writeOf(t, test.old, test.object), nil, nil); result.Error != nil || result.Matches != test.want {
				t.Errorf("%s: asked: %t (%v), want %t", name, result.Matches, result.Error, test.want)
			}
		}
	}
}

// writeOf is the creation of a workload, or its change if there is an old one.
func writeOf(t *testing.T, old, object string) *admission.VersionedAttributes {
	t.Helper()
	read := func(document string) *unstructured.Unstructured {
		o := &unstructured.Unstructured{}
		if err := json.Unmarshal([]byte(document), &o.Object); err != nil {
			t.Fatal(err)
		}
		return o
	}
	kind := appsv1.SchemeGroupVersion.WithKind("Deployment")
	resource := appsv1.SchemeGroupVersion.WithResource("deployments")
	after := read(object)
	if old == "" {
		attributes := admission.NewAttributesRecord(after, nil, kind, "team-a", "web", resource, "", admission.Create, &metav1.CreateOptions{}, false, nil)
		return &admission.VersionedAttributes{Attributes: attributes, VersionedKind: kind, VersionedObject: admission.NewLazyObject(after)}
	}
	before := read(old)
	attributes := admission.NewAttributesRecord(after, before, kind, "team-a", "web", resource, "", admission.Update, &metav1.UpdateOptions{}, false, nil)
	return &admission.VersionedAttributes{Attributes: attributes, VersionedKind: kind, VersionedObject: admission.NewLazyObject(after), VersionedOldObject: admission.NewLazyObject(before)}
}
