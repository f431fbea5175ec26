// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

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

// Unknown fields of a pod survive: what the API server stores differs from what was
// sent by our additions alone.
func TestOnlyAdds(t *testing.T) {
	project(t, "only-adds")
	create(t, genericSource("only-adds", "key"), genericCredential("only-adds", "key"))
	ready(t, "only-adds", "key")
	build := func(name string, annotations map[string]string) *corev1.Pod {
		p := pod("only-adds", name, annotations)
		p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: "$(token)"}}
		p.Spec.Overhead = nil
		p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/gate"}}
		return p
	}
	plain := build("plain", nil)
	injected := build("injected", map[string]string{"env.credence.dev/token": "key/token"})
	create(t, plain, injected)
	env := injected.Spec.Containers[0].Env
	if len(env) != 2 || env[0].Name != "token" || env[1].Name != "A" {
		t.Fatalf("the variables are not the injected one and the pod's own, in this order: %v", env)
	}
	injected.Spec.Containers[0].Env = env[1:]
	if got, want := injected.Spec.SchedulingGates, plain.Spec.SchedulingGates; len(got) != 1 || got[0] != want[0] {
		t.Errorf("scheduling gates: got %v, want %v", got, want)
	}
}

// The CA is rotated while pods are created: not one creation fails.
func TestRotationUnderLoad(t *testing.T) {
	project(t, "rotation")
	create(t, genericSource("rotation", "key"), genericCredential("rotation", "key"))
	ready(t, "rotation", "key")
	caKey := client.ObjectKey{Namespace: local.InstallNamespace, Name: "credence-webhook-ca"}
	ca := &corev1.Secret{}
	if err := cluster.Client().Get(t.Context(), caKey, ca); err != nil {
		t.Fatal(err)
	}
	before := string(ca.Data[corev1.TLSCertKey])

	ctx, stop := context.WithCancel(t.Context())
	var (
		created atomic.Int64
		load    sync.WaitGroup
	)
	for worker := range 4 {
		load.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				p := pod("rotation", fmt.Sprintf("p-%d-%d", worker, i), map[string]string{v1alpha1.AnnotationCredentials: "key"})
				if err := cluster.Client().Create(t.Context(), p); err != nil {
					t.Errorf("a creation failed: %v", err)
					return
				}
				if !hasToken(p, "key") {
					t.Error("a pod was admitted without its credential")
				}
				created.Add(1)
			}
		})
	}
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"now"}}}`, "credence.dev/rotate-ca"))
	if err := cluster.Client().Patch(t.Context(), ca, patch); err != nil {
		t.Fatal(err)
	}
	err := local.Poll(t.Context(), "another CA to sign", func(ctx context.Context) (bool, error) {
		err := cluster.Client().Get(ctx, caKey, ca)
		return string(ca.Data[corev1.TLSCertKey]) != before, err
	})
	after := created.Load()
	if err == nil {
		err = local.Poll(t.Context(), "pods under the new CA", func(context.Context) (bool, error) {
			return created.Load() > after+200 || t.Failed(), nil
		})
	}
	stop()
	load.Wait()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d pods were created", created.Load())
}
