// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

// Secret, Credential and pod come in one apply, as GitOps does it: the pod waits
// for what came a moment before it, or is refused in a way that a client tries
// again.
func TestEverythingInOneApply(t *testing.T) {
	project(t, "one-apply")
	for i := range 10 {
		name := fmt.Sprintf("c%d", i)
		create(t, genericSource("one-apply", name), genericCredential("one-apply", name))
		p := pod("one-apply", name, map[string]string{v1alpha1.AnnotationCredentials: name})
		err := local.Poll(t.Context(), "the pod to be admitted", func(ctx context.Context) (bool, error) {
			err := cluster.Client().Create(ctx, p)
			if err != nil && strings.Contains(err.Error(), "try again") {
				return false, nil
			}
			return err == nil, err
		})
		if err != nil {
			t.Fatal(err)
		}
		if !hasToken(p, name) {
			t.Errorf("pod %s was admitted without its credential", name)
		}
	}
}

// A new project's pod comes right behind its namespace: the cache may not know the
// namespace yet.
func TestPodRightAfterNamespace(t *testing.T) {
	for i := range 10 {
		namespace := fmt.Sprintf("brand-new-%d", i)
		project(t, namespace)
		err := cluster.Client().Create(t.Context(), pod(namespace, "p", map[string]string{v1alpha1.AnnotationCredentials: "absent"}))
		if err == nil || !strings.HasSuffix(err.Error(), `there is no credential "absent" in namespace `+namespace) {
			t.Errorf("namespace %s was not known: %v", namespace, err)
		}
	}
}

// While every process is dead, a pod that asks for credentials does not come into
// being without them, and all others are not disturbed.
func TestFailsClosedOnlyForThoseWhoAsk(t *testing.T) {
	project(t, "outage")
	create(t, genericSource("outage", "key"), genericCredential("outage", "key"))
	ready(t, "outage", "key")
	cluster.KillCredence()
	asking := map[string]string{v1alpha1.AnnotationCredentials: "key"}
	if err := cluster.Client().Create(t.Context(), pod("outage", "asks", asking)); !apierrors.IsInternalError(err) {
		t.Errorf("a pod that asks for a credential was not refused during an outage: %v", err)
	}
	create(t, pod("outage", "plain", nil), pod("default", "elsewhere", nil))
	if err := cluster.StartCredence(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := pod("outage", "asks", asking)
	create(t, p)
	if !hasToken(p, "key") {
		t.Error("after the outage the pod was admitted without its credential")
	}
}
