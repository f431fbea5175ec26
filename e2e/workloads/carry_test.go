// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestAnnotateAndDetach: an annotation on a Deployment rolls it out, the template wins
// where it names one itself, and without the annotation the template has none.
func TestAnnotateAndDetach(t *testing.T) {
	w := newWorld(t)
	web := w.deployment("web")
	w.create(web)
	w.rolledOut(web, "")

	w.annotate(web, credentials, "openai")
	w.rolledOut(web, "", "openai")
	if text := w.warnings.take(); len(text) > 0 {
		t.Errorf("warned: %q", text)
	}
	for i := range 5 { // nothing of this is a new template
		w.annotate(web, "example.com/number", fmt.Sprint(i))
	}
	w.rolledOut(web, "", "openai")

	w.annotate(web, credentials, "nobody")
	if text := strings.Join(w.warnings.take(), "; "); !strings.Contains(text, `there is no credential "nobody"`) {
		t.Errorf("warned: %q", text)
	}
	w.rolledOut(web, "", "nobody", "openai")

	// Whoever writes the template has the last word, until it is taken off there.
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"template":{"metadata":{"annotations":{"credence.dev/credentials":"openai"}}}}}`))
	if err := w.Patch(t.Context(), web, patch); err != nil {
		t.Fatal(err)
	}
	w.rolledOut(web, "", "nobody", "openai")
	if got := web.Spec.Template.Annotations[credentials]; got != "openai" {
		t.Errorf("the template names %q", got)
	}
	w.annotate(web, credentials, "")
	if got := web.Spec.Template.Annotations[credentials]; got != "openai" {
		t.Errorf("the template names %q, which somebody wrote there", got)
	}

	worker := w.deployment("worker")
	worker.Annotations = map[string]string{credentials: "openai"}
	w.create(worker)
	w.rolledOut(worker, "openai")
	w.annotate(worker, credentials, "")
	w.rolledOut(worker, "", "openai")
	if _, listed := worker.Annotations[carried]; listed || worker.Spec.Template.Annotations[credentials] != "" {
		t.Errorf("not detached: %v, %v", worker.Annotations, worker.Spec.Template.Annotations)
	}
}

// TestRepair: what was annotated while the webhook was away is told of, and carried
// where that is asked for: once, whatever happens at the same time.
func TestRepair(t *testing.T) {
	w := newWorld(t)
	web, owned := w.deployment("web"), w.deployment("owned")
	owned.OwnerReferences = []metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: "App", Name: "shop", UID: "shop", Controller: new(true), BlockOwnerDeletion: new(false)}}
	w.create(web)
	w.rolledOut(web, "")
	stops("webhook")
	w.annotate(web, credentials, "openai")
	w.rolledOut(web, "")
	w.eventually("it is told of", func(ctx context.Context) error { return w.told(ctx, web, "AnnotationsNotCarried") })
	if got := w.metric(`credence_workloads_uncarried{kind="Deployment.apps"}`); got != "1" {
		t.Errorf("%s are not carried by the metric", got)
	}

	// Webhook and repair come back while it is scaled.
	runs(t, "webhook")
	runs(t, "controller", "--repair=carry")
	for i := range 10 {
		if err := w.Patch(t.Context(), web, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, 2+i%3))); err != nil {
			t.Fatal(err)
		}
	}
	w.eventually("it is carried", func(ctx context.Context) error { return w.isCarried(ctx, web) })
	w.rolledOut(web, "", "openai")

	// By the controller alone.
	stops("webhook")
	w.annotate(web, credentials, "")
	w.eventually("it is detached", func(ctx context.Context) error {
		if err := w.Get(ctx, client.ObjectKeyFromObject(web), web); err != nil {
			return err
		}
		if _, there := web.Spec.Template.Annotations[credentials]; there {
			return errors.New("the template has it")
		}
		return nil
	})
	w.rolledOut(web, "", "openai")
	w.create(owned)
	db := &appsv1.StatefulSet{ObjectMeta: w.named("db"), Spec: appsv1.StatefulSetSpec{Selector: web.Spec.Selector, Template: template(map[string]string{"app": "web"})}}
	db.Annotations = map[string]string{credentials: "openai"}
	w.create(db)
	w.annotate(owned, credentials, "openai")
	w.eventually("it is carried", func(ctx context.Context) error { return w.isCarried(ctx, db) })
	w.read(owned)
	if len(owned.Spec.Template.Annotations) > 0 {
		t.Error("the Deployment of a controller was written")
	}
	w.eventually("the metric is 0", func(context.Context) error {
		if got := w.metric(`credence_workloads_uncarried{kind="Deployment.apps"}`); got != "0" {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	})
	runs(t, "webhook")
}

// TestTakenBack: somebody who resets the template each time is not fought.
func TestTakenBack(t *testing.T) {
	w := newWorld(t, "--repair=carry")
	stops("webhook")
	web := w.deployment("web")
	web.Annotations = map[string]string{credentials: "openai"}
	w.create(web)
	for range 2 { // what is done the second time is not quite what was done first
		w.eventually("it is carried", func(ctx context.Context) error { return w.isCarried(ctx, web) })
		if err := w.Patch(t.Context(), web, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"template":{"metadata":{"annotations":null}}}}`))); err != nil {
			t.Fatal(err)
		}
	}
	w.eventually("it is told of", func(ctx context.Context) error { return w.told(ctx, web, "CarryingReverted") })
	if err := w.isCarried(t.Context(), web); err == nil {
		t.Error("it is carried again at once")
	}
	runs(t, "webhook")
}

// TestJobs: the template of a Job is fixed once it is there, and its updates always
// pass; a CronJob hands its own to the Jobs that come.
func TestJobs(t *testing.T) {
	w := newWorld(t, "--repair=carry")
	jobTemplate := template(nil)
	jobTemplate.Spec.RestartPolicy = corev1.RestartPolicyNever
	early, late := &batchv1.Job{ObjectMeta: w.named("early"), Spec: batchv1.JobSpec{Template: jobTemplate}}, &batchv1.Job{ObjectMeta: w.named("late"), Spec: batchv1.JobSpec{Template: jobTemplate}}
	early.Annotations = map[string]string{credentials: "openai"}
	cron := &batchv1.CronJob{ObjectMeta: w.named("cron"), Spec: batchv1.CronJobSpec{Schedule: "* * * * *", Suspend: new(true), JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: jobTemplate}}}}
	w.create(early, late, cron)
	if got := early.Spec.Template.Annotations[credentials]; got != "openai" {
		t.Errorf("the Job's template names %q", got)
	}
	w.annotate(late, credentials, "openai")
	if text := strings.Join(w.warnings.take(), "; "); !strings.Contains(text, "annotations of a Job are carried to its pods when it is created, and not after") {
		t.Errorf("warned: %q", text)
	}
	w.annotate(early, credentials, "")
	w.annotate(late, "example.com/other", "x")
	w.read(early)
	w.read(late)
	if early.Spec.Template.Annotations[credentials] != "openai" || late.Spec.Template.Annotations[credentials] != "" {
		t.Error("the template of a Job was changed")
	}
	w.eventually("it is told of", func(ctx context.Context) error { return w.told(ctx, late, "AnnotationsNotCarried") })

	w.annotate(cron, credentials, "openai")
	if got := cron.Spec.JobTemplate.Spec.Template.Annotations[credentials]; got != "openai" {
		t.Errorf("the CronJob's template names %q", got)
	}
	daemon := &appsv1.DaemonSet{ObjectMeta: w.named("daemon"), Spec: appsv1.DaemonSetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "d"}}, Template: template(map[string]string{"app": "d"})}}
	w.create(daemon)
	w.annotate(daemon, credentials, "openai")
	if err := w.isCarried(t.Context(), daemon); err != nil {
		t.Error(err)
	}
}

// isCarried says whether the template of a workload names the credential openai.
func (w *world) isCarried(ctx context.Context, object client.Object) error {
	if err := w.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return err
	}
	var template *corev1.PodTemplateSpec
	switch object := object.(type) {
	case *appsv1.Deployment:
		template = &object.Spec.Template
	case *appsv1.StatefulSet:
		template = &object.Spec.Template
	case *appsv1.DaemonSet:
		template = &object.Spec.Template
	default:
		return fmt.Errorf("%T has no template that is known here", object)
	}
	if got := template.Annotations[credentials]; got != "openai" {
		return fmt.Errorf("the template names %q", got)
	}
	return nil
}

// told says whether there is an event about an object.
func (w *world) told(ctx context.Context, object client.Object, reason string) error {
	var events eventsv1.EventList
	if err := w.List(ctx, &events, client.InNamespace(w.namespace)); err != nil {
		return err
	}
	var all []string
	for _, event := range events.Items {
		if event.Regarding.UID == object.GetUID() {
			if event.Reason == reason {
				return nil
			}
			all = append(all, event.Reason)
		}
	}
	return fmt.Errorf("the events are %v", all)
}

// metric is the value of a series of the controller.
func (w *world) metric(series string) string {
	w.Helper()
	text, err := processes["controller"].Metrics(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return "none"
}
