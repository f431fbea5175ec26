// SPDX-License-Identifier: Apache-2.0

package grants

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

// force deletes credentials by force while a pod uses them. Who shares credentials of
// the cluster may not: that is for who has the role credence-admin.
func (s *story) force() {
	s.bind("keepers", systemNamespace, "credence-department-admin")
	s.create(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "share"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"clusters"}, Verbs: []string{"propagate"}},
	}})
	s.bind("keepers", "", "share")
	s.bind("administrators", "", "credence-admin")

	pod := s.forced("true")
	s.eventually("the copy to go under its user", func(ctx context.Context) error {
		return absent(s.client.Get(ctx, client.ObjectKeyFromObject(copyOf(generic(systemNamespace, "forced-true"))), &corev1.Secret{}))
	})
	s.untouched(pod)

	pod = s.forced("keep")
	left := copyOf(generic(systemNamespace, "forced-keep"))
	s.eventually("the copy to be an ordinary Secret", func(ctx context.Context) error {
		now := &corev1.Secret{}
		if err := s.client.Get(ctx, client.ObjectKeyFromObject(left), now); err != nil {
			return err
		}
		if len(now.Labels) > 0 || len(now.Annotations) > 0 || len(now.Data) != 1 {
			return fmt.Errorf("it has labels %v, annotations %v and %d keys", now.Labels, now.Annotations, len(now.Data))
		}
		return nil
	})
	s.untouched(pod)
	// Credence looks after it no more, and its policies keep nobody from removing it.
	if err := s.client.Delete(s.Context(), left); err != nil {
		s.Error(err)
	}
}

// forced deletes a credential with a value of the annotation, and waits until it is
// gone. It returns the pod that uses it.
func (s *story) forced(value string) *corev1.Pod {
	s.Helper()
	name := "forced-" + value
	c, from := generic(systemNamespace, name), source(systemNamespace, name, ofCluster)
	s.create(from, c)
	s.wait(copyOf(c), "the copy", func() bool { return true })
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: name, Annotations: map[string]string{v1alpha1.AnnotationCredentials: name}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/app"}}},
	}
	s.create(pod)
	s.wait(c, "its user to be counted", func() bool { return c.Status.UsedBy.Workloads == 1 })

	keeper, administrator := s.as("keepers"), s.as("administrators")
	s.eventually("the deletion to be refused", func(ctx context.Context) error {
		return refused(keeper.Delete(ctx, c.DeepCopy(), client.DryRunAll), "is used by 1 workload: Pod project/"+name)
	})
	mark := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.AnnotationForceDelete, value))
	s.eventually("the annotation to be refused", func(ctx context.Context) error {
		return refused(keeper.Patch(ctx, c.DeepCopy(), mark, client.DryRunAll), `needs the right "forcedelete" on clusters.credence.dev/local`)
	})
	s.eventually("an administrator to set it", func(ctx context.Context) error { return administrator.Patch(ctx, c, mark) })
	s.eventually("the deletion to be taken", func(ctx context.Context) error { return keeper.Delete(ctx, c.DeepCopy()) })
	s.eventually("the credential to go", func(ctx context.Context) error {
		return absent(s.client.Get(ctx, client.ObjectKeyFromObject(c), &v1alpha1.Credential{}))
	})
	// What somebody made in advance is his.
	s.wait(from, "the source", func() bool { return from.DeletionTimestamp == nil })
	return pod
}

// untouched fails unless a pod is as it was.
func (s *story) untouched(pod *corev1.Pod) {
	s.Helper()
	now := &corev1.Pod{}
	if err := s.client.Get(s.Context(), client.ObjectKeyFromObject(pod), now); err != nil {
		s.Error(err)
	} else if now.UID != pod.UID || now.ResourceVersion != pod.ResourceVersion {
		s.Errorf("pod %s was changed", pod.Name)
	}
}

// bind gives a group a role, in one namespace or everywhere.
func (s *story) bind(group, namespace, role string) {
	s.Helper()
	meta := metav1.ObjectMeta{Namespace: namespace, Name: group + "-" + role}
	to := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group}}
	of := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	if namespace != "" {
		s.create(&rbacv1.RoleBinding{ObjectMeta: meta, Subjects: to, RoleRef: of})
		return
	}
	s.create(&rbacv1.ClusterRoleBinding{ObjectMeta: meta, Subjects: to, RoleRef: of})
}

// as is the client of somebody in a group.
func (s *story) as(group string) client.Client {
	s.Helper()
	config := cluster.Plane().Config()
	config.WarningHandler = rest.NoWarnings{}
	config.Impersonate = rest.ImpersonationConfig{UserName: "somebody", Groups: []string{group, "system:authenticated"}}
	c, err := client.New(config, client.Options{Scheme: local.Scheme()})
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// refused wants an answer that says why not.
func refused(err error, why string) error {
	if err == nil {
		return errors.New("it is allowed")
	}
	if !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), why) {
		return fmt.Errorf("the answer is: %w", err)
	}
	return nil
}

// absent wants the answer that something is not there.
func absent(err error) error {
	if err == nil {
		return errors.New("it is there")
	}
	return client.IgnoreNotFound(err)
}
