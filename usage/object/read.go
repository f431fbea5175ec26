// SPDX-License-Identifier: Apache-2.0

package object

import (
	"strings"
	"unique"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/remark"
	"github.com/credence-dev/credence/injector/workload"
)

// Served is a kind with the resource that serves it.
type Served struct {
	schema.GroupVersionKind
	Resource string
}

// BuiltIn are the kinds of Kubernetes' own that have pods, or of which it depends
// what pods get.
var BuiltIn = []Served{
	{corev1.SchemeGroupVersion.WithKind("Pod"), "pods"},
	{corev1.SchemeGroupVersion.WithKind("PodTemplate"), "podtemplates"},
	{corev1.SchemeGroupVersion.WithKind("ReplicationController"), "replicationcontrollers"},
	{corev1.SchemeGroupVersion.WithKind("ServiceAccount"), "serviceaccounts"},
	{appsv1.SchemeGroupVersion.WithKind("DaemonSet"), "daemonsets"},
	{appsv1.SchemeGroupVersion.WithKind("Deployment"), "deployments"},
	{appsv1.SchemeGroupVersion.WithKind("ReplicaSet"), "replicasets"},
	{appsv1.SchemeGroupVersion.WithKind("StatefulSet"), "statefulsets"},
	{batchv1.SchemeGroupVersion.WithKind("CronJob"), "cronjobs"},
	{batchv1.SchemeGroupVersion.WithKind("Job"), "jobs"},
}

// Read returns what is kept of an object of a built-in kind, and whether it is
// one.
func Read(object any) (Object, bool) {
	switch o := object.(type) {
	case *corev1.Pod:
		return readPod(o), true
	case *corev1.ServiceAccount:
		var c collector
		c.pullSecrets(o.ImagePullSecrets, Uses)
		return newObject(ServiceAccount.Value(), o, false, &c), true
	}
	workload, kind, template, finished := templateIn(object)
	if workload == nil {
		return Object{}, false
	}
	var templates []*corev1.PodTemplateSpec
	if template != nil {
		templates = append(templates, template)
	}
	return New(kind, workload, finished, templates...), true
}

// New returns what is kept of an object that has pod templates.
func New(kind schema.GroupKind, of metav1.Object, finished bool, templates ...*corev1.PodTemplateSpec) Object {
	return newWorkload(kind, of, finished, Uses, templates)
}

// NewPulling is New for a kind whose templates get image pull secrets as pods do: what
// their record says that nobody named counts apart.
func NewPulling(kind schema.GroupKind, of metav1.Object, templates ...*corev1.PodTemplateSpec) Object {
	return newWorkload(kind, of, false, Pulls, templates)
}

func newWorkload(kind schema.GroupKind, of metav1.Object, finished bool, pull How, templates []*corev1.PodTemplateSpec) Object {
	var c collector
	independent := metav1.GetControllerOfNoCopy(of) == nil // others count through live pods
	if independent {
		c.annotations(of.GetAnnotations())
		for _, template := range templates {
			c.template(template, pull)
			if pull == Pulls {
				c.automatic(template.Annotations)
			}
		}
	}
	object := newObject(kind, of, finished, &c)
	object.Uncarried = independent && !finished && kind != PodTemplate.Value() && isUncarried(of, templates)
	return object
}

// isUncarried says whether the annotations of a workload are not on its templates as
// they should be. Those of one that is going do not matter.
func isUncarried(object metav1.Object, templates []*corev1.PodTemplateSpec) bool {
	if object.GetDeletionTimestamp() != nil {
		return false
	}
	var few [1]map[string]string // most have one template
	annotations := few[:0]
	for _, template := range templates {
		annotations = append(annotations, template.Annotations)
	}
	return workload.IsUncarried(object.GetAnnotations(), annotations...)
}

// templateIn returns the pod template of a workload or template, its kind, and
// whether it runs no pods any more. A ReplicationController may be without.
func templateIn(object any) (workload metav1.Object, kind schema.GroupKind, template *corev1.PodTemplateSpec, finished bool) {
	kind.Group = appsv1.GroupName
	switch o := object.(type) {
	case *appsv1.DaemonSet:
		workload, kind.Kind, template = o, "DaemonSet", &o.Spec.Template
	case *appsv1.Deployment:
		workload, kind.Kind, template = o, "Deployment", &o.Spec.Template
	case *appsv1.ReplicaSet:
		workload, kind.Kind, template = o, "ReplicaSet", &o.Spec.Template
	case *appsv1.StatefulSet:
		workload, kind.Kind, template = o, "StatefulSet", &o.Spec.Template
	case *batchv1.CronJob:
		workload, kind, template = o, schema.GroupKind{Group: batchv1.GroupName, Kind: "CronJob"}, &o.Spec.JobTemplate.Spec.Template
	case *batchv1.Job:
		workload, kind, template = o, schema.GroupKind{Group: batchv1.GroupName, Kind: "Job"}, &o.Spec.Template
		finished = isFinished(o)
	case *corev1.PodTemplate:
		workload, kind, template = o, PodTemplate.Value(), &o.Template
	case *corev1.ReplicationController:
		workload, kind, template = o, schema.GroupKind{Kind: "ReplicationController"}, o.Spec.Template
	}
	return workload, kind, template, finished
}

func isFinished(job *batchv1.Job) bool {
	for i := range job.Status.Conditions {
		condition := &job.Status.Conditions[i]
		if (condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed) && condition.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}

func readPod(pod *corev1.Pod) Object {
	finished := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	var c collector
	if !finished {
		c.annotations(pod.Annotations)
		c.spec(&pod.Spec, Pulls)
		c.automatic(pod.Annotations)
	}
	object := newObject(Pod.Value(), pod, finished, &c)
	if _, warned := pod.Annotations[v1alpha1.AnnotationWarnings]; warned && !finished && object.Shape.Value().Owner != (Owner{}) {
		shape := object.Shape.Value()
		shape.Warnings = strings.Join(remark.ReadWarnings(pod.Annotations), "\n")
		object.Shape = unique.Make(shape)
	}
	object.Started = startedIn(&pod.Status, c.readers)
	return object
}

// automatic adds what a record of an injection says that nobody named.
func (c *collector) automatic(annotations map[string]string) {
	for _, name := range remark.Automatic(annotations) {
		c.add(Credential, name, Automatic)
	}
}

func newObject(kind schema.GroupKind, object metav1.Object, finished bool, c *collector) Object {
	return Object{
		Name: object.GetName(), UID: object.GetUID(),
		Shape: unique.Make(Shape{
			Kind: unique.Make(kind), Namespace: object.GetNamespace(), Owner: ownerOf(object),
			Finished: finished, Refers: encode(c.list),
		}),
	}
}
