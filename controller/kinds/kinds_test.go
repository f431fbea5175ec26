// SPDX-License-Identifier: Apache-2.0

package kinds_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestWorkloadKinds is the life of some WorkloadKinds.
func TestWorkloadKinds(t *testing.T) {
	w := newWorld(t)
	w.definitionOf("Gadget")

	// What is wrong is said with how to mend it; what is right works beside it.
	w.create(
		kind("gizmo", "Gizmo", ".spec.template"),
		kind("nowhere", "Gadget", ".spec.templates"),
		&v1alpha1.WorkloadKind{ObjectMeta: metav1.ObjectMeta{Name: "ingress"}, Spec: v1alpha1.WorkloadKindSpec{APIVersion: "networking.k8s.io/v1", Kind: "Ingress", PodTemplatePaths: []string{".spec"}}},
		&v1alpha1.WorkloadKind{ObjectMeta: metav1.ObjectMeta{Name: "ray"}, Spec: v1alpha1.WorkloadKindSpec{APIVersion: "ray.io/v1", Kind: "RayCluster", PodTemplatePaths: []string{".spec.template"}}},
	)
	if got, want := w.ready("gizmo", v1alpha1.ReasonNoSuchKind), "the API server has no kind Gizmo in example.com/v1; install what defines it, or correct apiVersion and kind"; got != want {
		t.Errorf("got message %q", got)
	}
	if got, want := w.ready("nowhere", v1alpha1.ReasonPathInvalid), "path .spec.templates: there is no field templates at .spec; correct podTemplatePaths"; got != want {
		t.Errorf("got message %q", got)
	}
	if got, want := w.ready("ingress", v1alpha1.ReasonPathInvalid), "Ingress of networking.k8s.io is Kubernetes' own and has no pod template; delete this WorkloadKind"; got != want {
		t.Errorf("got message %q", got)
	}
	w.ready("ray", v1alpha1.ReasonBuiltIn)
	w.asked()

	// A path is corrected. Without rights the kind is not followed, but carried.
	told := &v1alpha1.WorkloadKind{}
	if err := w.Get(t.Context(), client.ObjectKey{Name: "nowhere"}, told); err != nil {
		t.Fatal(err)
	}
	told.Spec.PodTemplatePaths = []string{".spec.template", ".spec.groups[*].template"}
	if err := w.Update(t.Context(), told); err != nil {
		t.Fatal(err)
	}
	if got, want := w.ready("nowhere", v1alpha1.ReasonNoRights), `the controller may not list, watch gadgets.example.com; create a ClusterRole that allows it with the label credence.dev/aggregate-to-controller: "true"`; got != want {
		t.Errorf("got message %q", got)
	}
	if got := w.follower.paths("Gadget"); got != ".spec.template .spec.groups[*].template" {
		t.Errorf("followed at %q", got)
	}
	w.asked("gadgets.example.com/v1")
	w.allow("gadgets", "list", "watch")
	w.eventually("the right is seen", func() string {
		w.poke("nowhere")
		if err := w.Get(t.Context(), client.ObjectKey{Name: "nowhere"}, told); err != nil {
			return err.Error()
		}
		return missing(told, v1alpha1.ReasonFollowed)
	})

	// A definition comes later, and no watch tells of it.
	w.definitionOf("Gizmo")
	w.allow("gizmos", "list", "watch")
	w.ready("gizmo", v1alpha1.ReasonFollowed)
	live := w.asked("gadgets.example.com/v1", "gizmos.example.com/v1")
	w.checkConfiguration(live)

	// Somebody changes or deletes the configuration.
	live.Webhooks[0].Rules = live.Webhooks[0].Rules[:1]
	live.Webhooks[0].MatchConditions = nil
	live.Webhooks[0].ClientConfig.CABundle = []byte(otherBundle)
	if err := w.Update(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	live = w.asked("gadgets.example.com/v1", "gizmos.example.com/v1")
	w.eventually("the conditions are back", func() string {
		return cmp.Diff(1, len(w.asked("gadgets.example.com/v1", "gizmos.example.com/v1").Webhooks[0].MatchConditions))
	})
	if got := string(w.asked("gadgets.example.com/v1", "gizmos.example.com/v1").Webhooks[0].ClientConfig.CABundle); got != otherBundle {
		t.Error("the bundle is not left to those who publish it")
	}
	if err := w.Delete(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	w.asked("gadgets.example.com/v1", "gizmos.example.com/v1")

	// Two tell of one kind: the older counts, until it goes.
	w.create(kind("later", "Gizmo", ".spec.groups[*].template"))
	w.ready("later", v1alpha1.ReasonDuplicate)
	if got := w.follower.paths("Gizmo"); got != ".spec.template" {
		t.Errorf("followed at %q", got)
	}
	for _, name := range []string{"gizmo", "nowhere", "ingress", "ray"} {
		if err := w.Delete(t.Context(), kind(name, "")); err != nil {
			t.Fatal(err)
		}
	}
	w.ready("later", v1alpha1.ReasonFollowed)
	w.eventually("the other paths count", func() string { return cmp.Diff(".spec.groups[*].template", w.follower.paths("Gizmo")) })
	w.asked("gizmos.example.com/v1")

	// A definition goes, and no watch tells of that either.
	w.undefine("Gizmo")
	w.eventually("it is seen", func() string {
		w.poke("later")
		if err := w.Get(t.Context(), client.ObjectKey{Name: "later"}, told); err != nil {
			return err.Error()
		}
		return missing(told, v1alpha1.ReasonNoSuchKind)
	})
	w.asked()
	if err := w.Delete(t.Context(), kind("later", "")); err != nil {
		t.Fatal(err)
	}
	w.asked()
	w.eventually("nothing is followed", func() string { return w.follower.paths("Gizmo") + w.follower.paths("Gadget") })
}

func missing(told *v1alpha1.WorkloadKind, reason string) string {
	if condition := meta.FindStatusCondition(told.Status.Conditions, v1alpha1.ConditionReady); condition == nil || condition.Reason != reason {
		return fmt.Sprintf("%+v", condition)
	}
	return ""
}

// checkConfiguration holds the configuration to the chart's.
func (w *world) checkConfiguration(live *admissionregistrationv1.MutatingWebhookConfiguration) {
	w.Helper()
	chart := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := w.Get(w.Context(), client.ObjectKey{Name: "credence"}, chart); err != nil {
		w.Fatal(err)
	}
	got, want := live.Webhooks[0], chart.Webhooks[0]
	if got.Name == want.Name {
		w.Error("the entry has the name of the chart's")
	}
	got.Name, got.Rules, want.Rules = want.Name, nil, nil
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("another entry than the chart's (-want +got):\n%s", diff)
	}
	if !slices.ContainsFunc(live.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == chart.UID }) {
		w.Error("it does not go with the chart's")
	}
}
