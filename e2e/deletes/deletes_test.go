// SPDX-License-Identifier: Apache-2.0

package deletes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

// TestDeletes is one story: with all processes, with a standby alone, and with none.
func TestDeletes(t *testing.T) {
	objects := inUse(t)
	t.Run("policies are well typed", wellTyped)
	t.Run("in use", func(t *testing.T) { eachIsRefused(t, objects, byInUse) })
	t.Run("in use, without the right to it", func(t *testing.T) { usersAreNotTold(t, objects) })
	t.Run("its source", func(t *testing.T) { sourceIsRefused(t, objects) })
	t.Run("many at once", collections)
	t.Run("an automatic pull secret", automaticWarns)
	t.Run("force-delete", forced)
	t.Run("copies", copies)
	t.Run("never blocked", neverBlocked)
	t.Run("the guide", guide)
	t.Run("a standby alone, whose leader is behind", standbyAlone)
	detached, deserted := detach(t), leavesAlone(t)
	t.Run("no process at all", func(t *testing.T) {
		webhook.Stop()
		controller.Stop()
		eachIsRefused(t, objects, byInUse)
		sourceIsRefused(t, objects)
		copiesAreKept(t)
		t.Run("a namespace goes", deserted)
		manyCredentials(t)
	})
	t.Run("detached", detached)
	t.Run("without the resource", withoutTheResource)
}

// wellTyped asks what Kubernetes has to say about the types in our expressions.
func wellTyped(t *testing.T) {
	for _, name := range []string{
		"credence-copies", "credence-deletes-automatic", "credence-deletes-in-use", "credence-deletes-sources", "credence-rights-forcedelete-sources",
	} {
		policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
		poll(t, name+" is checked", func(ctx context.Context) error {
			if err := cluster.Client().Get(ctx, client.ObjectKey{Name: name}, policy); err != nil {
				return err
			}
			if policy.Status.ObservedGeneration != policy.Generation {
				return errors.New("not yet")
			}
			return nil
		})
		if checking := policy.Status.TypeChecking; checking != nil && len(checking.ExpressionWarnings) > 0 {
			t.Errorf("%s: %v", name, checking.ExpressionWarnings)
		}
	}
}

// collections: the API server reviews each object of a collection by itself. Those that
// are not used go, or stay because it stops at the first error; what is used stays.
func collections(t *testing.T) {
	busy, idle := narrow(teamB, "busy", "own"), narrow(teamB, "idle", "own-too")
	for _, c := range []*v1alpha1.Credential{busy, idle} {
		c.Labels = map[string]string{"all": "yes"}
	}
	made(t, source(teamB, "own"), source(teamB, "own-too"), busy, idle, web(teamB, "busy", v1alpha1.AnnotationCredentials, "busy"))
	used(t, busy, 1)
	words := `credential "busy" is used by 1 workload: Deployment team-b/busy; detach it there first`
	all := []client.DeleteAllOfOption{client.InNamespace(teamB), client.MatchingLabels{"all": "yes"}}
	if err := refused(jane(t).DeleteAllOf(t.Context(), &v1alpha1.Credential{}, append(all, client.DryRunAll)...), byInUse, words); err != nil {
		t.Error(err)
	}
	stays(t, busy)
	stays(t, idle)
	if err := refused(jane(t).DeleteAllOf(t.Context(), &v1alpha1.Credential{}, all...), byInUse, words); err != nil {
		t.Error(err)
	}
	stays(t, busy)
	// Detached, all of it goes.
	made(t, web(teamB, "other", v1alpha1.AnnotationInject, "true"))
	if err := cluster.Client().Delete(t.Context(), web(teamB, "busy", "", "")); err != nil {
		t.Fatal(err)
	}
	poll(t, "the collection may go", func(ctx context.Context) error { return jane(t).DeleteAllOf(ctx, &v1alpha1.Credential{}, all...) })
	gone(t, busy)
	gone(t, idle)
}

// automaticWarns deletes a login that pods have only as an automatic pull secret.
func automaticWarns(t *testing.T) {
	login := source(system, "hub", "run.ai/cluster-wide", "true")
	login.Labels[v1alpha1.LabelSourceType], login.Type = "docker-registry", corev1.SecretTypeDockerConfigJson
	login.StringData = map[string]string{".dockerconfigjson": `{"auths": {"hub.example.com": {"username": "u", "password": "not-a-secret"}}}`}
	hub := wide("hub", "hub")
	hub.Spec.Type = v1alpha1.DockerRegistry
	made(t, login, hub)
	pulls := web(teamA, "pulls", "example.com/a", "b")
	pulls.Spec.Replicas, pulls.Spec.Template.Spec.Containers[0].Image = new(int32(1)), "hub.example.com/web:1"
	poll(t, "the login serves images", func(ctx context.Context) error {
		err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(hub), hub)
		if err == nil && len(hub.Status.Registries) == 0 {
			err = errors.New("it has no registries")
		}
		return err
	})
	made(t, pulls)
	poll(t, "its pod has it", func(ctx context.Context) error {
		pods := &corev1.PodList{}
		if err := cluster.Client().List(ctx, pods, client.InNamespace(teamA), client.MatchingLabels{"app": "pulls"}); err != nil {
			return err
		}
		for _, pod := range pods.Items {
			if len(pod.Spec.ImagePullSecrets) > 0 {
				return nil
			}
			// It came before the webhook knew the login; the next one has it.
			_ = cluster.Client().Delete(ctx, &pod, client.GracePeriodSeconds(0))
		}
		return errors.New("no pod has it")
	})
	poll(t, "it is told once", func(ctx context.Context) error {
		taker := &warnings{}
		jane, err := connect("jane", taker, editors)
		if err != nil {
			return err
		}
		if err := jane.Delete(ctx, hub.DeepCopy(), client.DryRunAll); err != nil {
			return err
		}
		const words = `credential "hub" is the automatic pull secret of 1 workload; new pods there pull their images without it`
		if len(taker.all) != 1 || !strings.HasSuffix(taker.all[0], words) {
			return fmt.Errorf("it warns of %q", taker.all)
		}
		return nil
	})
	if err := jane(t).Delete(t.Context(), hub); err != nil {
		t.Error(err)
	}
}

// standbyAlone keeps the controller from leading: it knows who uses what, and nobody
// writes it down.
func standbyAlone(t *testing.T) {
	fresh := wide("fresh", "fresh")
	made(t, source(system, "fresh", "run.ai/cluster-wide", "true"), fresh)
	poll(t, "it has a status", func(ctx context.Context) error {
		err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(fresh), fresh)
		if err == nil && fresh.Status.State != v1alpha1.StateNoIssuesFound {
			err = fmt.Errorf("its state is %q", fresh.Status.State)
		}
		return err
	})
	controller.Stop()
	lease := &coordinationv1.Lease{}
	if err := cluster.Client().Get(t.Context(), client.ObjectKey{Namespace: local.InstallNamespace, Name: "credence-controller"}, lease); err != nil {
		t.Fatal(err)
	}
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds, lease.Spec.RenewTime = new("somebody"), new(int32(3600)), &metav1.MicroTime{Time: time.Now()}
	if err := cluster.Client().Update(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	defer func() {
		lease.Spec.HolderIdentity = new("")
		if err := cluster.Client().Update(t.Context(), lease); err != nil {
			t.Error(err)
		}
	}()
	var err error
	if controller, err = startController(t.Context()); err != nil {
		t.Fatal(err)
	}
	made(t, web(teamA, "late", v1alpha1.AnnotationCredentials, "fresh"))
	const words = `credential "fresh" is used by 1 workload: Deployment team-a/late; detach it there first`
	for how, options := range map[string][]client.DeleteOption{"delete": nil, "dry run": {client.DryRunAll}} {
		poll(t, "the webhook refuses, "+how, func(ctx context.Context) error {
			// Before the index has it nothing would be wrong with a delete, so all tries but the
			// last are dry.
			if err := refused(jane(t).Delete(ctx, fresh.DeepCopy(), client.DryRunAll), byWebhook, words); err != nil {
				return err
			}
			return refused(jane(t).Delete(ctx, fresh.DeepCopy(), options...), byWebhook, words)
		})
	}
	if found, err := usedBy(t.Context(), fresh); err != nil || found.Total != 0 {
		t.Errorf("the status is not behind, so the test proves nothing: %v %v", found, err)
	}
	if err := cluster.Client().Delete(t.Context(), web(teamA, "late", "", "")); err != nil {
		t.Fatal(err)
	}
	poll(t, "it may go when nobody uses it", func(ctx context.Context) error { return jane(t).Delete(ctx, fresh.DeepCopy(), client.DryRunAll) })
}

// detach makes a credential in use, and returns what takes its last user away when
// there is a controller again.
func detach(t *testing.T) func(*testing.T) {
	c := wide("detached", "detached")
	made(t, source(system, "detached", "run.ai/cluster-wide", "true"), c, web(teamA, "user", v1alpha1.AnnotationCredentials, "detached"))
	used(t, c, 1)
	return func(t *testing.T) {
		var err error
		if controller, err = startController(t.Context()); err != nil {
			t.Fatal(err)
		}
		user := &appsv1.Deployment{}
		if err := cluster.Client().Get(t.Context(), client.ObjectKeyFromObject(web(teamA, "user", "", "")), user); err != nil {
			t.Fatal(err)
		}
		user.Spec.Template.Annotations = nil
		if err := cluster.Client().Update(t.Context(), user); err != nil {
			t.Fatal(err)
		}
		poll(t, "it may go", func(ctx context.Context) error { return jane(t).Delete(ctx, c.DeepCopy()) })
		gone(t, c)
		poll(t, "its source may go", func(ctx context.Context) error { return jane(t).Delete(ctx, source(system, "detached")) })
	}
}
