// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/cel/environment"
)

// Entries for objects of our own.
const (
	stamped = "stamp.own.credence.dev"
	named   = "names.own.credence.dev"
	deleted = "deletes.own.credence.dev"
)

// ownWrites are the rules of the entries for objects of our own. The status is a
// resource of its own, which is not among them.
func ownWrites() []admissionregistrationv1.RuleWithOperations {
	return []admissionregistrationv1.RuleWithOperations{{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
		Rule: admissionregistrationv1.Rule{
			APIGroups: []string{"credence.dev"}, APIVersions: []string{"v1alpha1"}, Resources: []string{"credentials", "environments", "datasources", "workloadtemplates"},
			Scope: ptr(admissionregistrationv1.NamespacedScope),
		},
	}}
}

func stamp(clientConfig func(path string) admissionregistrationv1.WebhookClientConfig) admissionregistrationv1.MutatingWebhook {
	return admissionregistrationv1.MutatingWebhook{
		Name: stamped, ClientConfig: clientConfig("/own/stamp"), Rules: ownWrites(),
		FailurePolicy:           ptr(admissionregistrationv1.Fail),
		ReinvocationPolicy:      ptr(admissionregistrationv1.NeverReinvocationPolicy),
		MatchPolicy:             ptr(admissionregistrationv1.Equivalent),
		SideEffects:             ptr(admissionregistrationv1.SideEffectClassNone),
		TimeoutSeconds:          ptr(int32(5)),
		AdmissionReviewVersions: []string{"v1"},
	}
}

func TestCredenceValidatingWebhooks(t *testing.T) {
	for values, clientConfig := range map[string]func(string) admissionregistrationv1.WebhookClientConfig{
		"":                              inCluster,
		variations["a webhook outside"]: outside,
	} {
		got := validatingWebhooks(t, values)
		for i := range got {
			got[i].MatchConditions = nil
		}
		want := []admissionregistrationv1.ValidatingWebhook{{
			Name: named, ClientConfig: clientConfig("/own/names"), Rules: ownWrites(),
			FailurePolicy:           ptr(admissionregistrationv1.Fail),
			MatchPolicy:             ptr(admissionregistrationv1.Equivalent),
			SideEffects:             ptr(admissionregistrationv1.SideEffectClassNone),
			TimeoutSeconds:          ptr(int32(5)),
			AdmissionReviewVersions: []string{"v1"},
		}, {
			Name: deleted, ClientConfig: toController(clientConfig("/own/deletes")), Rules: ownWrites(),
			FailurePolicy:           ptr(admissionregistrationv1.Ignore),
			MatchPolicy:             ptr(admissionregistrationv1.Equivalent),
			SideEffects:             ptr(admissionregistrationv1.SideEffectClassNone),
			TimeoutSeconds:          ptr(int32(5)),
			AdmissionReviewVersions: []string{"v1"},
		}}
		want[1].Rules[0].Operations = []admissionregistrationv1.OperationType{admissionregistrationv1.Delete}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
	}
}

// toController is where the controllers are reached, as the webhook is elsewhere.
func toController(config admissionregistrationv1.WebhookClientConfig) admissionregistrationv1.WebhookClientConfig {
	if config.Service != nil {
		config.Service.Name = "credence-controller"
	} else {
		config.URL = ptr(strings.Replace(*config.URL, "9443", "9444", 1))
	}
	return config
}

// validatingWebhooks returns the entries of the validating webhook configuration,
// which has the one name that the controller may write to.
func validatingWebhooks(t *testing.T, values string) []admissionregistrationv1.ValidatingWebhook {
	t.Helper()
	configurations := typed[admissionregistrationv1.ValidatingWebhookConfiguration](t, rendered(t, values), "ValidatingWebhookConfiguration")
	configuration, ok := configurations["credence"]
	if !ok || len(configurations) != 1 {
		t.Fatalf("%d webhook configurations, want the one named credence", len(configurations))
	}
	return configuration.Webhooks
}

// Which changes of an object of our own need the webhook.
func TestCredenceOwnMatchConditions(t *testing.T) {
	const (
		before   = `{"metadata": {"name": "a", "annotations": {"credence.dev/created-by": "jane", "credence.dev/updated-by": "jane"}}, "spec": {"scope": {"level": "project"}, "n": 1}}`
		deleting = `{"metadata": {"name": "a", "deletionTimestamp": "2026-06-30T00:00:00Z", "finalizers": ["credence.dev/copies"]}, "spec": {"n": 1}}`
		bare     = `{"metadata": {"name": "a"}, "spec": {"n": 1}}`
	)
	both := []string{named, stamped}
	with := func(document, old, replacement string) string {
		if !strings.Contains(document, old) {
			t.Fatalf("%s has no %s", document, old)
		}
		return strings.Replace(document, old, replacement, 1)
	}
	cases := map[string]struct {
		old, object string // old is empty for a creation
		want        []string
	}{
		"create":                      {"", before, both},
		"create without anything":     {"", `{"metadata": {}}`, both},
		"nothing changes":             {before, before, nil},
		"the spec changes":            {before, with(before, `"n": 1`, `"n": 2`), both},
		"a field comes":               {before, with(before, `"n": 1`, `"n": 1, "displayName": "A"`), both},
		"the spec goes":               {before, `{"metadata": {"name": "a"}}`, both},
		"in another order":            {before, with(before, `"scope": {"level": "project"}, "n": 1`, `"n": 1, "scope": {"level": "project"}`), nil},
		"created-by changes":          {before, with(before, `created-by": "jane`, `created-by": "joe`), []string{stamped}},
		"updated-by changes":          {before, with(before, `updated-by": "jane`, `updated-by": "joe`), []string{stamped}},
		"created-by goes":             {before, with(before, `"credence.dev/created-by": "jane", `, ``), []string{stamped}},
		"annotations go":              {before, `{"metadata": {"name": "a"}, "spec": {"scope": {"level": "project"}, "n": 1}}`, []string{stamped}},
		"annotations are emptied":     {before, `{"metadata": {"name": "a", "annotations": {}}, "spec": {"scope": {"level": "project"}, "n": 1}}`, []string{stamped}},
		"annotations become null":     {before, `{"metadata": {"name": "a", "annotations": null}, "spec": {"scope": {"level": "project"}, "n": 1}}`, []string{stamped}},
		"created-by comes":            {bare, `{"metadata": {"name": "a", "annotations": {"credence.dev/created-by": ""}}, "spec": {"n": 1}}`, []string{stamped}},
		"another annotation comes":    {before, with(before, `"annotations": {`, `"annotations": {"a/b": "c", `), nil},
		"first annotations come":      {bare, `{"metadata": {"name": "a", "annotations": {"a/b": "c"}}, "spec": {"n": 1}}`, nil},
		"a label comes":               {before, with(before, `"name": "a"`, `"name": "a", "labels": {"a": "b"}`), nil},
		"the finalizer comes":         {before, with(before, `"name": "a"`, `"name": "a", "finalizers": ["credence.dev/copies"]`), nil},
		"the status changes":          {before, with(before, `"spec"`, `"status": {"state": "Creating"}, "spec"`), nil},
		"the finalizer goes":          {deleting, with(deleting, `["credence.dev/copies"]`, `[]`), nil},
		"being deleted, all changes":  {deleting, `{"metadata": {"name": "a", "annotations": {"credence.dev/created-by": "x"}}, "spec": {"n": 2}}`, nil},
		"deletion is only pretended":  {bare, with(deleting, `"n": 1`, `"n": 2`), both},
		"a stamp, deletion pretended": {bare, with(deleting, `"name": "a"`, `"name": "a", "annotations": {"credence.dev/created-by": "x"}`), []string{stamped}},
	}
	for _, kubernetes := range []*version.Version{version.MajorMinor(1, 30), environment.DefaultCompatibilityVersion()} {
		matchers := compile(t, kubernetes, "credentials")
		for name, test := range cases {
			t.Run(kubernetes.String()+"/"+name, func(t *testing.T) {
				var got []string
				for _, entry := range both {
					result := matchers[entry].Match(t.Context(), change(t, test.old, test.object), nil, nil)
					if result.Error != nil {
						t.Errorf("%s cannot be decided, which would refuse the object: %v", entry, result.Error)
					}
					if result.Matches {
						got = append(got, entry)
					}
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("entries that are asked (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// Which deletes need the controllers. Nothing keeps the others from going.
func TestCredenceDeletesMatchConditions(t *testing.T) {
	const own = `{"metadata": {"name": "a"}}`
	annotated := func(annotations string) string {
		return `{"metadata": {"name": "a", "annotations": ` + annotations + `}}`
	}
	cases := map[string]struct {
		user, object string
		want         bool
	}{
		"a person":                    {"jane", own, true},
		"no annotations":              {"jane", annotated(`null`), true},
		"another annotation":          {"jane", annotated(`{"a": "b"}`), true},
		"already being deleted":       {"jane", `{"metadata": {"name": "a", "deletionTimestamp": "2026-06-30T00:00:00Z"}}`, false},
		"force":                       {"jane", annotated(`{"credence.dev/force-delete": "true"}`), false},
		"force, but keep the copies":  {"jane", annotated(`{"credence.dev/force-delete": "keep"}`), false},
		"force that means nothing":    {"jane", annotated(`{"credence.dev/force-delete": "false"}`), true},
		"the garbage collector":       {"system:serviceaccount:kube-system:generic-garbage-collector", own, false},
		"the namespace controller":    {"system:serviceaccount:kube-system:namespace-controller", own, false},
		"all controllers in one":      {"system:kube-controller-manager", own, false},
		"a namesake in a project":     {"system:serviceaccount:team-a:namespace-controller", own, true},
		"another account of the same": {"system:serviceaccount:kube-system:default", own, true},
	}
	for _, kubernetes := range []*version.Version{version.MajorMinor(1, 30), environment.DefaultCompatibilityVersion()} {
		matcher := compile(t, kubernetes, "credentials")[deleted]
		for name, test := range cases {
			t.Run(kubernetes.String()+"/"+name, func(t *testing.T) {
				result := matcher.Match(t.Context(), deletion(t, test.user, test.object), nil, nil)
				if result.Error != nil || result.Matches != test.want {
					t.Errorf("asked: %t (%v), want %t", result.Matches, result.Error, test.want)
				}
			})
		}
	}
}

// The largest specs that there may be cost no more than CEL allows.
func TestCredenceOwnMatchConditionsCost(t *testing.T) {
	env := make([]string, 2000)
	for i := range env {
		env[i] = fmt.Sprintf(`{"name": "%s-%d", "key": "%s"}`, strings.Repeat("a", 240), i, strings.Repeat("b", 240))
	}
	object := `{"metadata": {"name": "a"}, "spec": {"env": [` + strings.Join(env, ",") + `]}}`
	for entry, matcher := range compile(t, version.MajorMinor(1, 30), "credentials") {
		if entry == deleted {
			continue // which does not look at them
		}
		if result := matcher.Match(t.Context(), change(t, object, object), nil, nil); result.Error != nil || result.Matches {
			t.Errorf("%s: %v, %t", entry, result.Error, result.Matches)
		}
	}
}

var kind = schema.GroupVersionKind{Group: "credence.dev", Version: "v1alpha1", Kind: "Credential"}

func deletion(t *testing.T, by, object string) *admission.VersionedAttributes {
	t.Helper()
	old := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(object), &old.Object); err != nil {
		t.Fatal(err)
	}
	attributes := admission.NewAttributesRecord(nil, old, kind, "team-a", "a", kind.GroupVersion().WithResource("credentials"), "",
		admission.Delete, &metav1.DeleteOptions{}, false, &user.DefaultInfo{Name: by})
	return &admission.VersionedAttributes{Attributes: attributes, VersionedKind: kind, VersionedOldObject: admission.NewLazyObject(old)}
}

func change(t *testing.T, old, object string) *admission.VersionedAttributes {
	t.Helper()
	read := func(document string) runtime.Object {
		object := &unstructured.Unstructured{}
		if err := json.Unmarshal([]byte(document), &object.Object); err != nil {
			t.Fatal(err)
		}
		return object
	}
	resource := kind.GroupVersion().WithResource("credentials")
	if old == "" {
		attributes := admission.NewAttributesRecord(read(object), nil, kind, "team-a", "a", resource, "", admission.Create, &metav1.CreateOptions{}, false, nil)
		return &admission.VersionedAttributes{Attributes: attributes, VersionedObject: admission.NewLazyObject(read(object)), VersionedKind: kind}
	}
	attributes := admission.NewAttributesRecord(read(object), read(old), kind, "team-a", "a", resource, "", admission.Update, &metav1.UpdateOptions{}, false, nil)
	return &admission.VersionedAttributes{
		Attributes: attributes, VersionedKind: kind,
		VersionedObject: admission.NewLazyObject(read(object)), VersionedOldObject: admission.NewLazyObject(read(old)),
	}
}
