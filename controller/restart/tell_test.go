// SPDX-License-Identifier: Apache-2.0

package restart

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestForgedOwnersAreNotRepeated: the event at a credential that many share does not hold
// what somebody wrote as the owner of his workload.
func TestForgedOwnersAreNotRepeated(t *testing.T) {
	for owner, want := range map[string]string{
		"shop":              "Deployment team-a/web could not be restarted: App shop reset its pod template; its pods keep the old values until they are replaced",
		"shop\nall is well": "Deployment team-a/web could not be restarted: its pod template was reset; its pods keep the old values until they are replaced",
	} {
		recorder, web := events.NewFakeRecorder(2), deployment()
		web.OwnerReferences = []metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: "App", Name: owner, UID: "shop", Controller: new(true)}}
		r := &reconciler{recorder: recorderFake{recorder}}
		r.tellReverted(&target{Object: web, kind: "Deployment"}, []change{{of: &v1alpha1.Credential{}}})
		<-recorder.Events
		if got := <-recorder.Events; got != "Warning RestartReverted "+want {
			t.Errorf("it says %q", got)
		}
	}
}
