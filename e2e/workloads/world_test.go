// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

const (
	credentials = v1alpha1.AnnotationCredentials
	carried     = v1alpha1.AnnotationCarried
)

var projects atomic.Int32

// world is a project of a cluster with Credence.
type world struct {
	*testing.T
	client.Client
	namespace string
	warnings  *warnings
}

// warnings are those of the API server.
type warnings struct {
	mu    sync.Mutex
	texts []string
}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (w *warnings) HandleWarningHeaderWithContext(_ context.Context, _ int, _ string, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
}

// take returns the warnings since it was asked last.
func (w *warnings) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	texts := w.texts
	w.texts = nil
	return texts
}

// Processes that run, each test as it needs them.
var processes = map[string]*local.Process{}

// runs has a process run, with other arguments than before if so asked.
func runs(t *testing.T, name string, args ...string) {
	t.Helper()
	stops(name)
	process, err := cluster.StartProcess(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	processes[name] = process
	if err := process.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func stops(name string) {
	if process := processes[name]; process != nil {
		process.Stop()
		delete(processes, name)
	}
}

// newWorld makes a project with the credential openai, and has both processes run.
func newWorld(t *testing.T, controllerArgs ...string) *world {
	t.Helper()
	// The controller makes the CA that the webhook waits for.
	stops("controller")
	process, err := cluster.StartProcess("controller", controllerArgs...)
	if err != nil {
		t.Fatal(err)
	}
	processes["controller"] = process
	if processes["webhook"] == nil {
		runs(t, "webhook")
	}
	if err := errors.Join(process.AwaitReady(t.Context()), cluster.AwaitCredentials(t.Context())); err != nil {
		t.Fatal(err)
	}
	noted := &warnings{}
	config := rest.CopyConfig(cluster.Plane().Config())
	config.QPS, config.WarningHandlerWithContext = -1, noted
	c, err := client.New(config, client.Options{Scheme: local.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, Client: c, namespace: fmt.Sprintf("team-%d", projects.Add(1)), warnings: noted}
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace, Labels: map[string]string{v1alpha1.LabelProject: w.namespace}}})
	w.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "openai", Labels: map[string]string{v1alpha1.LabelSourceType: "generic"}},
		StringData: map[string]string{"token": "not-a-secret"},
	})
	openai := &v1alpha1.Credential{ObjectMeta: w.named("openai")}
	openai.Spec.Type, openai.Spec.Scope.Level, openai.Spec.SecretRef.Name = v1alpha1.Generic, v1alpha1.ScopeProject, "openai"
	w.create(openai)
	w.eventually("the credential is ready", func(ctx context.Context) error {
		if err := w.Get(ctx, client.ObjectKeyFromObject(openai), openai); err != nil {
			return err
		}
		if openai.Status.ObservedGeneration == 0 {
			return errors.New("it has no status")
		}
		return nil
	})
	w.carries()
	return w
}

// carries waits until the API server asks the webhook about workloads: it may not
// have noticed yet that one is there again.
func (w *world) carries() {
	w.Helper()
	w.eventually("workloads are carried", func(ctx context.Context) error {
		probe := w.deployment("probe")
		probe.Annotations = map[string]string{credentials: "openai"}
		if err := w.Create(ctx, probe, client.DryRunAll); err != nil {
			return err
		}
		if probe.Annotations[carried] == "" {
			return errors.New("they are not")
		}
		return nil
	})
	w.warnings.take()
}

func (w *world) named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name}
}

func (w *world) create(objects ...client.Object) {
	w.Helper()
	for _, object := range objects {
		if err := w.Create(w.Context(), object); err != nil {
			w.Fatalf("creating %T %s: %v", object, object.GetName(), err)
		}
	}
}

// annotate is kubectl annotate; an empty value takes the annotation off.
func (w *world) annotate(object client.Object, key, value string) {
	w.Helper()
	text := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, key, value)
	if value == "" {
		text = fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, key)
	}
	if err := w.Patch(w.Context(), object, client.RawPatch(types.MergePatchType, []byte(text)), client.FieldOwner("kubectl-annotate")); err != nil {
		w.Fatalf("annotating %T %s: %v", object, object.GetName(), err)
	}
}

// read reads an object anew.
func (w *world) read(object client.Object) {
	w.Helper()
	if err := w.Get(w.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		w.Fatal(err)
	}
}

func (w *world) eventually(what string, check func(context.Context) error) {
	w.Helper()
	var last error
	err := local.Poll(w.Context(), what, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == nil, nil
	})
	if err != nil {
		w.Fatalf("%v: %v", err, last)
	}
}

func template(labels map[string]string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/main"}}},
	}
}

func (w *world) deployment(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{ObjectMeta: w.named(name), Spec: appsv1.DeploymentSpec{
		Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template(labels),
	}}
}

// settled waits until the Deployment controller has seen what a Deployment is now, and
// returns its ReplicaSets by what their templates name, which must be one for each
// template and never ours.
func (w *world) settled(d *appsv1.Deployment) map[string]string {
	w.Helper()
	byTemplate := map[string]string{}
	var sets appsv1.ReplicaSetList
	w.eventually("the Deployment controller to be done", func(ctx context.Context) error {
		if err := w.Get(ctx, client.ObjectKeyFromObject(d), d); err != nil {
			return err
		}
		if d.Status.ObservedGeneration != d.Generation {
			return fmt.Errorf("it has seen generation %d of %d", d.Status.ObservedGeneration, d.Generation)
		}
		if err := w.List(ctx, &sets, client.InNamespace(w.namespace)); err != nil {
			return err
		}
		if !slices.ContainsFunc(sets.Items, func(set appsv1.ReplicaSet) bool {
			return metav1.IsControlledBy(&set, d) && set.Spec.Template.Annotations[credentials] == d.Spec.Template.Annotations[credentials]
		}) {
			return errors.New("there is no ReplicaSet of the new template")
		}
		return nil
	})
	for i := range sets.Items {
		set := &sets.Items[i]
		if owner := metav1.GetControllerOf(set); owner == nil || owner.UID != d.UID {
			continue
		}
		names := set.Spec.Template.Annotations[credentials]
		if other, twice := byTemplate[names]; twice {
			w.Errorf("ReplicaSets %s and %s have one template", other, set.Name)
		}
		byTemplate[names] = set.Name
		for _, entry := range set.ManagedFields {
			if entry.Manager == v1alpha1.FieldManager {
				w.Errorf("ReplicaSet %s was written by Credence", set.Name)
			}
		}
	}
	return byTemplate
}

// rolledOut holds which templates a Deployment has had.
func (w *world) rolledOut(d *appsv1.Deployment, want ...string) {
	w.Helper()
	if got := slices.Sorted(maps.Keys(w.settled(d))); !slices.Equal(got, want) {
		w.Fatalf("there are ReplicaSets of templates that name %q, want %q", got, want)
	}
}
