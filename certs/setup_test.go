// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"strings"
	"testing"
	"time"

	clientset "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

func TestSetup(t *testing.T) {
	for name, test := range map[string]struct {
		rotator   Rotator
		publisher *Publisher
		want      string // part of the error
	}{
		"with publisher":    {rotator: Rotator{Secret: secretName}, publisher: &Publisher{}},
		"without publisher": {rotator: Rotator{Secret: secretName}},
		"no name":           {want: "must be set"},
		"settings that cannot work": {
			rotator: Rotator{Secret: secretName, Settings: Settings{CADuration: time.Hour}},
			want:    "LeafDuration (168h0m0s) must be less than CADuration (1h0m0s)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			skip := true // names are unique per process, and -count runs this again
			mgr, err := manager.New(&rest.Config{Host: "https://credence.invalid"}, manager.Options{
				Metrics:    metricsserver.Options{BindAddress: "0"},
				Controller: config.Controller{SkipNameValidation: &skip},
			})
			if err != nil {
				t.Fatal(err)
			}
			err = Setup(mgr, clientset.NewClientset(), &test.rotator, test.publisher)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("Setup: %v, want %q", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if test.rotator.Client == nil || test.rotator.Reader == nil || test.rotator.Events == nil {
				t.Error("the rotator's defaults were not filled in")
			}
			if p := test.publisher; p != nil && (p.Client == nil || p.Reader == nil || p.Secret != secretName || test.rotator.Publications != p) {
				t.Error("the publisher's defaults were not filled in")
			}
		})
	}
}
