// SPDX-License-Identifier: Apache-2.0

package grants

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// uninstaller is the account of the hook that uninstalls.
const uninstaller = "credence-uninstall"

// TestUninstallGrants: the hook of the uninstallation needs every right that it has, and
// no other, whatever becomes of the copies. It comes last, for it leaves no Credence.
func TestUninstallGrants(t *testing.T) {
	const leaving = "leaving"
	s := &story{t, cluster.Client()}
	s.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: leaving, Labels: map[string]string{v1alpha1.LabelProject: leaving}}})
	c := generic(systemNamespace, leaving)
	s.create(source(systemNamespace, leaving, ofCluster), c)
	copied := copyOf(c)
	copied.Namespace = leaving
	s.wait(copied, "the copy", func() bool { return true })
	if err := cluster.StandIns(t.Context()); err != nil {
		t.Fatal(err)
	}
	cluster.StopCredence()
	for _, copies := range []string{"keep", "release", "delete"} {
		s.uninstall(copies)
		err := s.client.Get(t.Context(), client.ObjectKeyFromObject(copied), copied)
		if there := err == nil; client.IgnoreNotFound(err) != nil || there != (copies != "delete") {
			t.Errorf("with %s the copy is there: %t (%v)", copies, there, err)
		} else if marked := copied.Labels[v1alpha1.LabelCopyOf] != ""; there && marked != (copies == "keep") {
			t.Errorf("with %s the copy has labels %v", copies, copied.Labels)
		}
		// One more for the next time, which no policy keeps from being made.
		copied = copied.DeepCopy()
		copied.ObjectMeta = metav1.ObjectMeta{Namespace: leaving, Name: "after-" + copies,
			Labels:      map[string]string{v1alpha1.LabelCopyOf: leaving, v1alpha1.LabelManagedBy: v1alpha1.ManagedByCredence},
			Annotations: map[string]string{v1alpha1.AnnotationCopyOfUID: "one", v1alpha1.AnnotationFingerprint: "key:sum"},
		}
		s.create(copied)
	}
}

// uninstall installs the chart, runs its hook, and looks at what that asked for.
func (s *story) uninstall(copies string) {
	s.Helper()
	s.create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "leaving", Name: copies, Labels: map[string]string{
		v1alpha1.LabelCABundle: "sum", v1alpha1.LabelManagedBy: v1alpha1.ManagedByCredence}}})
	if err := cluster.Upgrade(s.Context(), map[string]any{"uninstall": map[string]any{"copies": copies}}); err != nil {
		s.Fatal(err)
	}
	own := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{
		Name: "credence-workload-kinds", Labels: map[string]string{"app.kubernetes.io/part-of": "credence"}}}
	if err := client.IgnoreAlreadyExists(s.client.Create(s.Context(), own)); err != nil {
		s.Fatal(err)
	}
	if said, err := cluster.RunHook(s.Context()); err != nil {
		s.Fatalf("%v\n%s", err, said)
	}
	rights := granted(s.T, uninstaller)
	s.eventually("all rights to be needed", func(context.Context) error {
		needed := map[right]bool{}
		for request := range readAudit(s.T).allowed[uninstaller] {
			if r, ok := narrowest(rights, request); ok {
				needed[r] = true
			}
		}
		var errs []error
		for _, r := range unused(rights, needed, nil) {
			errs = append(errs, fmt.Errorf("with %s, %s is given and not needed", copies, r))
		}
		return errors.Join(errs...)
	})
	s.checkUninstaller(copies, rights)
}

// checkUninstaller fails if something was asked for that the chart gives no right to.
// With another value the hook had other rights.
func (s *story) checkUninstaller(copies string, rights []right) {
	s.Helper()
	all := readAudit(s.T)
	for request := range all.refused[uninstaller] {
		// The role may not have been read yet.
		if _, given := narrowest(rights, request); !given {
			s.Errorf("with %s it was refused: %s", copies, request)
		}
	}
	for request := range all.allowed[uninstaller] {
		if _, given := narrowest(rights, request); !given && !slices.Contains([]string{"secrets", "configmaps"}, request.resource) {
			s.Errorf("with %s it was allowed, but not by the chart: %s", copies, request)
		}
	}
}
