// SPDX-License-Identifier: Apache-2.0

package restart

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/usage"
)

// target is a workload as the API server has it.
type target struct {
	client.Object
	kind     string
	template *corev1.PodTemplateSpec
	// holds says in words what keeps its pods from being replaced at once, empty if
	// nothing does.
	holds string
}

// read reads a workload, nil if there is nothing to restart: it is gone, or is
// another of its name, or is being deleted, or is of a kind that does not roll.
func read(ctx context.Context, from client.Reader, w usage.Workload) (*target, error) {
	t := target{kind: w.Kind}
	var look func()
	switch w.Kind {
	case "Deployment":
		o := &appsv1.Deployment{}
		t.Object, t.template, look = o, &o.Spec.Template, func() { t.holds = holdsDeployment(o) }
	case "StatefulSet":
		o := &appsv1.StatefulSet{}
		t.Object, t.template, look = o, &o.Spec.Template, func() { t.holds = holdsStatefulSet(o) }
	case "DaemonSet":
		o := &appsv1.DaemonSet{}
		t.Object, t.template, look = o, &o.Spec.Template, func() { t.holds = holdsDaemonSet(o) }
	default:
		return nil, nil
	}
	if err := from.Get(ctx, w.NamespacedName, t.Object); apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", w.Kind, w.NamespacedName, err)
	}
	if t.GetUID() != w.UID || !t.GetDeletionTimestamp().IsZero() {
		return nil, nil
	}
	look()
	return &t, nil
}

const onDelete = "its update strategy is OnDelete, so a pod takes the new values when it is deleted"

func holdsDeployment(d *appsv1.Deployment) string {
	if d.Spec.Paused {
		return "it is paused, so its pods take the new values when it is resumed"
	}
	return ""
}

func holdsStatefulSet(s *appsv1.StatefulSet) string {
	rolling := s.Spec.UpdateStrategy.RollingUpdate
	switch {
	case s.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType:
		return onDelete
	case rolling != nil && rolling.Partition != nil && *rolling.Partition > 0:
		return fmt.Sprintf("its updates are partitioned, so pods below number %d keep the old values", *rolling.Partition)
	}
	return ""
}

func holdsDaemonSet(d *appsv1.DaemonSet) string {
	if d.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType {
		return onDelete
	}
	return ""
}

// state reads what the workload says that it was restarted for.
func (t *target) state() state {
	return state{
		fingerprints: readFingerprints(t.template.Annotations[v1alpha1.AnnotationRestartedFor]),
		record:       readRecord(t.GetAnnotations()[v1alpha1.AnnotationRestarts]),
	}
}

// write patches a workload's annotations, and those of its template if it is to be
// restarted. A merge patch leaves everything else as it is at that moment; with the
// version in it, it is refused if anybody wrote since the workload was read.
func write(ctx context.Context, to client.Writer, t *target, after state, restarts bool) error {
	annotations := func(key, value string) map[string]any {
		return map[string]any{"annotations": map[string]string{key: value}}
	}
	metadata := annotations(v1alpha1.AnnotationRestarts, after.record.String())
	metadata["uid"], metadata["resourceVersion"] = t.GetUID(), t.GetResourceVersion()
	patch := map[string]any{"metadata": metadata}
	if restarts {
		template := annotations(v1alpha1.AnnotationRestartedFor, writeFingerprints(after.fingerprints))
		patch["spec"] = map[string]any{"template": map[string]any{"metadata": template}}
	}
	body, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	object := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: t.kind}}
	object.Namespace, object.Name = t.GetNamespace(), t.GetName()
	return to.Patch(ctx, object, client.RawPatch(types.MergePatchType, body), client.FieldOwner(v1alpha1.FieldManager))
}
