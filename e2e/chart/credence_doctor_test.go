// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
)

// evictRights are what the controller may do besides, where it replaces pods.
var evictRights = []string{
	"cluster: pods. create",
	"cluster: pods/eviction. create",
}

// The right to evict pods and the flag that uses it come together.
func TestCredenceEvictions(t *testing.T) {
	guide, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(string(guide), "```yaml\n")
	shown, _, _ = strings.Cut(shown, "```")
	for values, want := range map[string]bool{"": false, variations["carrying"]: false, variations["evicting"]: true, shown: true} {
		controller := typed[appsv1.Deployment](t, rendered(t, values), "Deployment")["credence-controller"]
		if got := slices.Contains(controller.Spec.Template.Spec.Containers[0].Args, "--repair=evict"); got != want {
			t.Errorf("with %q the controller evicts: %t", values, got)
		}
	}
	both := typed[appsv1.Deployment](t, rendered(t, `repair: [carry, evict]`), "Deployment")["credence-controller"]
	if args := both.Spec.Template.Spec.Containers[0].Args; !slices.Contains(args, "--repair=carry,evict") {
		t.Errorf("both repairs are not asked for: %v", args)
	}
}

// The doctor recognises what the webhook injected by the settings that it was injected
// with.
func TestCredenceDoctorKnowsTheSettings(t *testing.T) {
	controller := typed[appsv1.Deployment](t, rendered(t, variations["fetching"]), "Deployment")["credence-controller"]
	if args := controller.Spec.Template.Spec.Containers[0].Args; !slices.Contains(args, "--ca-config-map=trust") {
		t.Errorf("the controller is not told of the ConfigMap: %v", args)
	}
}
