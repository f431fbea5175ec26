// SPDX-License-Identifier: Apache-2.0

package race

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// tidy ends what is left. Everything must go, and nothing stay on its way out.
func (r *race) tidy() {
	ctx := r.Context()
	for _, project := range r.projects {
		for _, kind := range []client.Object{&appsv1.Deployment{}, &appsv1.ReplicaSet{}, &corev1.Pod{}} {
			if err := r.client.DeleteAllOf(ctx, kind, client.InNamespace(project), client.GracePeriodSeconds(0)); err != nil {
				r.Error(err)
			}
		}
	}
	var left error
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, within, true, func(ctx context.Context) (bool, error) {
		left = r.clear(ctx)
		return left == nil, nil
	})
	if err != nil {
		r.Errorf("waiting until everything is gone: %v", left)
	}
}

// clear says what is still there, and deletes credentials: those in use refuse.
func (r *race) clear(ctx context.Context) error {
	var all v1alpha1.CredentialList
	var pods corev1.PodList
	var secrets corev1.SecretList
	for _, list := range []struct {
		into    client.ObjectList
		options []client.ListOption
	}{{&all, nil}, {&pods, nil}, {&secrets, []client.ListOption{client.HasLabels{v1alpha1.LabelCopyOf}}}} {
		if err := r.client.List(ctx, list.into, list.options...); err != nil {
			return err
		}
	}
	for i := range all.Items {
		if c := &all.Items[i]; c.DeletionTimestamp == nil {
			r.delete(ctx, c)
		}
	}
	pods.Items = slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return !slices.Contains(r.projects, p.Namespace) })
	for i := range pods.Items {
		_ = r.client.Delete(ctx, &pods.Items[i], client.GracePeriodSeconds(0))
	}
	if len(all.Items)+len(pods.Items)+len(secrets.Items) == 0 {
		return nil
	}
	text := fmt.Sprintf("%d pods, %d copies", len(pods.Items), len(secrets.Items))
	for i := range all.Items {
		text += fmt.Sprintf("; %s: %+v", all.Items[i].Name, all.Items[i].Status.Conditions)
	}
	return fmt.Errorf("there are %s", text)
}
