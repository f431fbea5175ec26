// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/apitest"
)

// silent does not say which kinds there are.
type silent struct {
	discovery.ServerResourcesInterface
}

func (silent) ServerResourcesForGroupVersion(string) (*metav1.APIResourceList, error) {
	return nil, errors.New("try again")
}

func rule(group, version, resource string) admissionregistrationv1.RuleWithOperations {
	return admissionregistrationv1.RuleWithOperations{Rule: admissionregistrationv1.Rule{
		APIGroups: []string{group}, APIVersions: []string{version}, Resources: []string{resource},
	}}
}

// TestNotFoundOut: a process that has just begun takes nothing away while it cannot
// find out whether a kind is there.
func TestNotFoundOut(t *testing.T) {
	s := apitest.Scheme(v1alpha1.AddToScheme)
	configuration := func(name, entry string, rules ...admissionregistrationv1.RuleWithOperations) *admissionregistrationv1.MutatingWebhookConfiguration {
		return &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name},
			Webhooks: []admissionregistrationv1.MutatingWebhook{{Name: entry, Rules: rules}}}
	}
	told := func(name, apiVersion, kind string) *v1alpha1.WorkloadKind {
		return &v1alpha1.WorkloadKind{ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.WorkloadKindSpec{APIVersion: apiVersion, Kind: kind, PodTemplatePaths: []string{".spec.template"}}}
	}
	for name, test := range map[string]struct {
		live []client.Object
		want []string
	}{
		"what was asked": {
			live: []client.Object{configuration(ConfigurationName, entryName, rule("example.com", "v1", "pipelines"), rule("example.com", "v2", "stages"), rule("example.org", "v1", "steps"))},
			want: []string{"pipelines"},
		},
		"nothing was": {},
	} {
		t.Run(name, func(t *testing.T) {
			c := fake.NewClientBuilder().WithScheme(s).WithObjects(
				append(test.live, configuration(chartConfiguration, chartEntry), told("a", "example.com/v1", "Pipeline"), told("b", "example.com/v1", "Stage"))...,
			).Build()
			r := &reconciler{client: c, live: c, discovery: silent{}}
			if _, err := r.Reconcile(t.Context(), ctrl.Request{}); err == nil {
				t.Error("it is not tried again")
			}
			live := &admissionregistrationv1.MutatingWebhookConfiguration{}
			err := c.Get(t.Context(), client.ObjectKey{Name: ConfigurationName}, live)
			if (err == nil) != (len(test.want) > 0) {
				t.Fatalf("the configuration: %v", err)
			}
			var got []string
			for i := range live.Webhooks {
				for _, rule := range live.Webhooks[i].Rules {
					got = append(got, rule.Resources...)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("asked about (-want +got):\n%s", diff)
			}
		})
	}
}
