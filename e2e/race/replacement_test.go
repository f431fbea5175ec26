// SPDX-License-Identifier: Apache-2.0

package race

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

// TestReplacementsWhileDeleting: a registry login that pods have as an automatic pull
// secret may be deleted. While they live it stays, their replacements get it, and new
// workloads do not.
func TestReplacementsWhileDeleting(t *testing.T) {
	const image, secret = "hub.example.com/shop:1", "dockerregistry-hub"
	ns := project(t, "replacements", false)
	login := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: "hub",
			Labels: map[string]string{v1alpha1.LabelSourceType: "docker-registry", v1alpha1.LabelSourceClusterWide: "true"}},
		Type:       corev1.SecretTypeDockerConfigJson,
		StringData: map[string]string{corev1.DockerConfigJsonKey: `{"auths":{"hub.example.com":{"username":"u","password":"not-a-secret"}}}`},
	}
	hub := credentialNamed("hub")
	hub.Spec.Type = v1alpha1.DockerRegistry
	create(t, login, hub)
	eventually(t, "the login is spread", func(ctx context.Context) error {
		err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(hub), hub)
		if err == nil && hub.Status.State != v1alpha1.StateNoIssuesFound {
			err = fmt.Errorf("its state is %s", hub.Status.State)
		}
		return err
	})
	shop := deploymentNamed(ns, "shop", "")
	shop.Spec.Template.Spec.Containers[0].Image = image
	create(t, shop)
	before := podsOf(t, shop, secret, 2)
	eventually(t, "the users are counted", func(ctx context.Context) error {
		err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(hub), hub)
		if err == nil && hub.Status.UsedBy.Automatic != 1 {
			err = fmt.Errorf("they are %+v", hub.Status.UsedBy)
		}
		return err
	})

	if err := cluster.Client().Delete(t.Context(), hub); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the status says who keeps it", func(ctx context.Context) error {
		if err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(hub), hub); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(hub.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Reason != v1alpha1.ReasonTerminating || !strings.Contains(ready.Message, "Deployment "+ns+"/shop") {
			return fmt.Errorf("it says %+v", ready)
		}
		return nil
	})
	// Until the webhook has heard of it, it may admit one more.
	asks := podNamed(ns, "")
	asks.GenerateName, asks.Annotations = "asks-", map[string]string{v1alpha1.AnnotationCredentials: "hub"}
	eventually(t, "new pods are refused", func(ctx context.Context) error {
		err := cluster.Client().Create(ctx, asks.DeepCopy(), client.DryRunAll)
		if apierrors.IsForbidden(err) && strings.Contains(err.Error(), "being deleted") {
			return nil
		}
		return fmt.Errorf("the answer is %w", errorOr(err))
	})
	late := deploymentNamed(ns, "late", "hub")
	eventually(t, "a second is over, for times are told in seconds", func(ctx context.Context) error {
		late.ResourceVersion = ""
		if err := cluster.Client().Create(ctx, late); err != nil {
			return err
		}
		if late.CreationTimestamp.After(hub.DeletionTimestamp.Time) {
			return nil
		}
		return cmp.Or(cluster.Client().Delete(ctx, late), errors.New("it counts as one of before"))
	})
	quiet := podNamed(ns, "quiet") // names nothing, so it starts without
	quiet.Spec.Containers[0].Image = image
	create(t, quiet)
	if hasPullSecret(quiet, secret) {
		t.Error("a new pod begins to use it")
	}

	for i := range before {
		if err := cluster.Client().Delete(t.Context(), &before[i], client.GracePeriodSeconds(0)); err != nil {
			t.Fatal(err)
		}
	}
	for _, pod := range podsOf(t, shop, secret, 2) {
		if slices.ContainsFunc(before, func(old corev1.Pod) bool { return old.UID == pod.UID }) {
			t.Errorf("pod %s is none of the replacements", pod.Name)
		}
	}
	eventually(t, "the pods of a new workload are refused", func(ctx context.Context) error {
		if err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(late), late); err != nil {
			return err
		}
		for _, condition := range late.Status.Conditions {
			if condition.Type == appsv1.DeploymentReplicaFailure && strings.Contains(condition.Message, "being deleted") {
				return nil
			}
		}
		return fmt.Errorf("its conditions are %+v", late.Status.Conditions)
	})
	copied := &corev1.Secret{}
	if err := cluster.Client().Get(t.Context(), client.ObjectKey{Namespace: ns, Name: secret}, copied); err != nil {
		t.Fatal(err)
	}

	for _, object := range []client.Object{shop, late, quiet} {
		if err := cluster.Client().Delete(t.Context(), object, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the credential goes with the last pod", func(ctx context.Context) error {
		err := cluster.Client().Get(ctx, client.ObjectKeyFromObject(hub), hub)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is there: %+v, %w", hub.Status.Conditions, errorOr(err))
	})
}

func errorOr(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

// podsOf waits for so many pods of a Deployment, all with a pull secret.
func podsOf(t *testing.T, d *appsv1.Deployment, secret string, count int) []corev1.Pod {
	t.Helper()
	pods := &corev1.PodList{}
	eventually(t, "the pods of "+d.Name+" are there", func(ctx context.Context) error {
		if err := cluster.Client().List(ctx, pods, client.InNamespace(d.Namespace), client.MatchingLabels(d.Spec.Selector.MatchLabels)); err != nil {
			return err
		}
		if len(pods.Items) != count {
			return fmt.Errorf("there are %d", len(pods.Items))
		}
		return nil
	})
	for i := range pods.Items {
		if !hasPullSecret(&pods.Items[i], secret) {
			t.Errorf("pod %s has no pull secret", pods.Items[i].Name)
		}
	}
	return pods.Items
}

func hasPullSecret(pod *corev1.Pod, secret string) bool {
	return slices.Contains(pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: secret})
}

// eventually polls until attempt gives no error.
func eventually(t *testing.T, what string, attempt func(context.Context) error) {
	t.Helper()
	var last error
	err := local.Poll(t.Context(), what, func(ctx context.Context) (bool, error) {
		err := attempt(ctx)
		if ctx.Err() == nil || last == nil {
			last = err
		}
		return err == nil, nil
	})
	if err != nil {
		t.Fatalf("%v: %v", err, last)
	}
}
