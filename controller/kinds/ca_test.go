// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

// TestWhoFillsInTheBundle: who fills it in where the chart says so fills it in here, also
// after the chart says something else. What is filled in is left to them.
func TestWhoFillsInTheBundle(t *testing.T) {
	const certManager = "cert-manager.io/inject-ca-from"
	configuration := func(entry, bundle string, annotations map[string]string) *admissionregistrationv1.MutatingWebhookConfiguration {
		c := &admissionregistrationv1.MutatingWebhookConfiguration{Webhooks: []admissionregistrationv1.MutatingWebhook{{Name: entry}}}
		c.Annotations, c.Webhooks[0].ClientConfig.CABundle = annotations, []byte(bundle)
		return c
	}
	for name, test := range map[string]struct {
		chart, live, want map[string]string
	}{
		"nobody else": {},
		"cert-manager": {
			chart: map[string]string{certManager: "credence/serving", "meta.helm.sh/release-name": "credence"},
			want:  map[string]string{certManager: "credence/serving"},
		},
		"another Certificate": {
			chart: map[string]string{certManager: "credence/serving"},
			live:  map[string]string{certManager: "credence/former", "example.com/seen": "yes"},
			want:  map[string]string{certManager: "credence/serving", "example.com/seen": "yes"},
		},
		"cert-manager no longer": {
			live: map[string]string{certManager: "credence/former", caAnnotation: caProvided, "example.com/seen": "yes"},
			want: map[string]string{"example.com/seen": "yes"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			chart, live := configuration(chartEntry, "of the chart's", test.chart), configuration(entryName, "of the live one", test.live)
			got, err := desired(chart, live, []served{{"example.com", "v1", "gadgets"}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got.Annotations); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
			if bundle := string(got.Webhooks[0].ClientConfig.CABundle); bundle != "of the live one" {
				t.Errorf("the bundle becomes that %s", bundle)
			}
		})
	}
}
