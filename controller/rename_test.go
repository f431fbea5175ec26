// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestRenameDisturbsNothing: what people see is no business of those who use it.
// Copies and workloads are as they were, and the status has seen it.
func TestRenameDisturbsNothing(t *testing.T) {
	w := newWorld(t).restarting()
	a := w.project("a", "")
	w.run()
	c := w.rotating("key")
	w.spread(c, 1)
	web, _ := w.web(a, "web", "genericsecret-key")
	before := w.usedBy(c, "Deployment "+a+"/web")
	w.settle(c)

	w.sent.reset()
	w.change(c, func() { c.Spec.DisplayName, c.Spec.Description = "OpenAI", "the team's" })
	after := w.status(c, "of the new name", func(v1alpha1.CredentialStatus) bool { return true })
	w.settle(c)
	w.settle(c)
	path := "/apis/credence.dev/v1alpha1/namespaces/" + c.Namespace + "/credentials/key/status"
	if writes := w.sent.writes(""); len(writes) != 1 || len(w.sent.writes(path)) != 1 {
		t.Errorf("it took more than the one write of the status: %q", writes)
	}
	after.ObservedGeneration = before.ObservedGeneration
	for i := range after.Conditions {
		after.Conditions[i].ObservedGeneration = before.Conditions[i].ObservedGeneration
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("status (-before +after):\n%s", diff)
	}
	if writes := w.patches(web); len(writes) > 0 {
		t.Errorf("a workload was written: %q", writes)
	}
}
