// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestUninstall: the command takes the finalizer off, says so, and says no to what it
// does not know.
func TestUninstall(t *testing.T) {
	cluster := newCluster(t)
	cluster.release()
	c := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "openai", Finalizers: []string{v1alpha1.Finalizer}}}
	c.Spec.Type, c.Spec.Scope.Level, c.Spec.SecretRef.Name = v1alpha1.Generic, v1alpha1.ScopeProject, "openai"
	if err := cluster.client.Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		out, err := program(ctx, append([]string{"uninstall", "--kubeconfig", cluster.kubeconfig}, args...)...).CombinedOutput()
		return string(out), err
	}
	for _, wrong := range []string{"--copies=gone", "--install-namespace=NotOne"} {
		if out, err := run(wrong); err == nil || strings.Contains(out, "Took") {
			t.Errorf("with %s (%v) it says: %s", wrong, err, out)
		}
	}
	out, err := run()
	if err != nil || !strings.Contains(out, "Took the finalizer off Credentials: 1;") {
		t.Errorf("(%v) it says:\n%s", err, out)
	}
	if err := cluster.client.Get(t.Context(), client.ObjectKeyFromObject(c), c); err != nil || len(c.Finalizers) > 0 {
		t.Errorf("the finalizers are %v (%v)", c.Finalizers, err)
	}
}
