// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

// TestUninstall is one story: it is uninstalled and installed again, with workloads that
// go on, and then uninstalled for good.
func TestUninstall(t *testing.T) {
	w := newWorld(t)
	t.Run("and installed again", func(t *testing.T) { w.with(t).again() })
	t.Run("while it runs", func(t *testing.T) { w.with(t).whileItRuns() })
	t.Run("and namespaces are deleted", func(t *testing.T) { w.with(t).namespacesGo() })
}

func (w *world) with(t *testing.T) *world {
	of := *w
	of.T = t
	return &of
}

func configuration() *admissionregistrationv1.MutatingWebhookConfiguration {
	return &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "credence"}}
}

func unstructuredOf(content map[string]any) client.Object {
	return &unstructured.Unstructured{Object: content}
}

// again uninstalls and installs again: the copies are the same, and nobody is restarted.
func (w *world) again() {
	before, pods := w.now()
	if len(before) != 3 {
		w.Fatalf("the copies are %v, want one in each project of the cluster's, and one of the department's", before)
	}
	cluster.StopCredence()
	if said, err := cluster.Uninstall(w.Context()); err != nil {
		w.Fatalf("%v\n%s", err, said)
	}
	w.nothingBlocks()
	if after, _ := w.now(); !cmp.Equal(before, after) {
		w.Errorf("copies (-before +while it is uninstalled):\n%s", cmp.Diff(before, after))
	}
	if err := cluster.Upgrade(w.Context(), nil); err != nil {
		w.Fatal(err)
	}
	if err := cluster.StartCredence(w.Context()); err != nil {
		w.Fatal(err)
	}
	// When the new project has its copy, the others were looked at.
	w.create(namespace("team-c", v1alpha1.LabelProject, "c", v1alpha1.LabelDepartment, "research"))
	w.eventually("a new project has its copies", func(ctx context.Context) error {
		all, err := w.copies(ctx)
		if len(all) != len(before)+2 {
			return errors.Join(fmt.Errorf("the copies are %v", slices.Sorted(maps.Keys(all))), err)
		}
		return err
	})
	w.settled()
	after, podsAfter := w.now()
	maps.DeleteFunc(after, func(copied, _ string) bool { return strings.HasPrefix(copied, "team-c/") })
	if diff := cmp.Diff(before, after); diff != "" {
		w.Errorf("copies (-before +after):\n%s", diff)
	}
	web := &appsv1.Deployment{}
	if err := w.Get(w.Context(), client.ObjectKeyFromObject(w.web), web); err != nil || web.Generation != w.web.Generation || !cmp.Equal(pods, podsAfter) {
		w.Errorf("the workload was restarted: generation %d, pods %v before and %v after (%v)", web.Generation, pods, podsAfter, err)
	}
	// They are looked after again.
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"stringData":{"openai":"not-a-secret-either"}}`))
	if err := w.Patch(w.Context(), source(system, "openai"), patch); err != nil {
		w.Fatal(err)
	}
	w.eventually("a new value reaches the copies", func(ctx context.Context) error {
		copied := &corev1.Secret{}
		err := w.Get(ctx, client.ObjectKey{Namespace: teamA, Name: "genericsecret-openai"}, copied)
		uid, _, _ := strings.Cut(before[teamA+"/"+copied.Name], " ")
		if err == nil && (string(copied.Data["openai"]) != "not-a-secret-either" || string(copied.UID) != uid) {
			err = errors.New("it has not, or in another Secret")
		}
		return err
	})
}

func (w *world) now() (copies map[string]string, pods any) {
	w.Helper()
	copies, err := w.copies(w.Context())
	uids, err2 := w.pods(w.Context())
	if err := errors.Join(err, err2); err != nil {
		w.Fatal(err)
	}
	return copies, uids
}

// whileItRuns uninstalls with Deployments in the cluster and a controller outside, which
// is waited for.
func (w *world) whileItRuns() {
	before, _ := w.now()
	if err := cluster.StandIns(w.Context()); err != nil {
		w.Fatal(err)
	}
	w.eventually("there are pods", func(ctx context.Context) error {
		pods := &corev1.PodList{}
		if err := w.List(ctx, pods, client.InNamespace(local.InstallNamespace)); err != nil || len(pods.Items) < 4 {
			return errors.Join(fmt.Errorf("there are %d", len(pods.Items)), err)
		}
		return nil
	})
	type result struct {
		said string
		err  error
	}
	ended := make(chan result, 1)
	go func() {
		said, err := cluster.RunHook(w.Context())
		ended <- result{said, err}
	}()
	w.eventually("nothing asks the webhook any more", func(ctx context.Context) error { return w.gone(ctx, configuration()) })
	w.eventually("the pods in the cluster are gone", func(ctx context.Context) error {
		pods := &corev1.PodList{}
		if err := w.List(ctx, pods, client.InNamespace(local.InstallNamespace)); err != nil || len(pods.Items) > 0 {
			return errors.Join(fmt.Errorf("there are %d", len(pods.Items)), err)
		}
		return nil
	})
	select {
	case early := <-ended:
		w.Fatalf("it did not wait for the controller: %v\n%s", early.err, early.said)
	default:
	}
	cluster.StopCredence()
	done := <-ended
	if done.err != nil {
		w.Fatal(done.err)
	}
	for _, line := range []string{
		"Deleted MutatingWebhookConfiguration credence-workload-kinds.", "Scaled Deployment credence/credence-controller to 0.",
		"holds Lease credence/credence-controller", "Took the finalizer off Credentials: 3",
	} {
		if !strings.Contains(done.said, line) {
			w.Errorf("it does not say %q:\n%s", line, done.said)
		}
	}
	said, err := cluster.Uninstall(w.Context()) // again, and the rest
	if err != nil || strings.Contains(said, "Deleted") {
		w.Errorf("once more it says (%v):\n%s", err, said)
	}
	w.nothingBlocks()
	if after, _ := w.now(); !cmp.Equal(before, after) {
		w.Errorf("copies (-before +after):\n%s", cmp.Diff(before, after))
	}
	for _, kept := range []client.Object{
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: local.InstallNamespace, Name: "credence-webhook-ca"}},
		source(teamB, "made"), source(system, "openai"),
	} {
		if err := w.Get(w.Context(), client.ObjectKeyFromObject(kept), kept); err != nil {
			w.Error(err)
		}
	}
}

// nothingBlocks looks for what could keep anything from being done.
func (w *world) nothingBlocks() {
	w.Helper()
	for _, kind := range []string{
		"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
	} {
		for _, object := range w.list(admissionregistrationv1.SchemeGroupVersion.WithKind(kind)) {
			if strings.HasPrefix(object.Name, "credence") {
				w.Errorf("%s %s is there", kind, object.Name)
			}
		}
	}
	var kinds []schema.GroupVersionKind
	for _, kind := range []string{"Credential", "Environment", "DataSource", "WorkloadTemplate", "WorkloadKind"} {
		kinds = append(kinds, v1alpha1.GroupVersion.WithKind(kind))
	}
	for _, kind := range []string{"Secret", "ConfigMap", "Namespace"} {
		kinds = append(kinds, corev1.SchemeGroupVersion.WithKind(kind))
	}
	for _, kind := range kinds {
		for _, object := range w.list(kind) {
			for _, finalizer := range object.Finalizers {
				if strings.Contains(finalizer, v1alpha1.Group) {
					w.Errorf("%s %s/%s has finalizer %s", kind.Kind, object.Namespace, object.Name, finalizer)
				}
			}
		}
	}
}

func (w *world) list(kind schema.GroupVersionKind) []metav1.PartialObjectMetadata {
	w.Helper()
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	if err := w.List(w.Context(), list); err != nil {
		w.Fatal(err)
	}
	return list.Items
}

// namespacesGo deletes projects, a department's home and the system namespace, with all
// that is in them and in use. No process of Credence runs.
func (w *world) namespacesGo() {
	var all []*corev1.Namespace
	for _, name := range []string{teamA, teamB, home, system} {
		all = append(all, namespace(name))
	}
	for _, one := range all {
		if err := w.Delete(w.Context(), one); err != nil {
			w.Fatal(err)
		}
	}
	w.soon(goesWithin, "the namespaces are gone", func(ctx context.Context) error {
		var left []error
		for _, one := range all {
			left = append(left, w.gone(ctx, one))
		}
		return errors.Join(left...)
	})
}
