// SPDX-License-Identifier: Apache-2.0

package uninstall_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/uninstall"
)

// Deadlines. They bound what hangs; nothing waits for patience, and brief is how long is
// looked at what must not end.
const (
	patience = 90 * time.Second
	brief    = 2 * time.Second
)

// world is a cluster with an install namespace and a project.
type world struct {
	*testing.T
	client.Client
	install, project string
	options          uninstall.Options
	said             *bytes.Buffer
}

func newWorld(t *testing.T, at *rest.Config) *world {
	t.Helper()
	config := rest.CopyConfig(at)
	config.QPS = -1
	c, err := client.New(config, client.Options{Scheme: testScheme})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, Client: c, said: &bytes.Buffer{}}
	for name, into := range map[string]*string{"install-": &w.install, "project-": &w.project} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: name}}
		w.create(namespace)
		*into = namespace.Name
	}
	w.options = uninstall.Options{
		Client: c, InstallNamespace: w.install, Lease: "leader", Copies: uninstall.KeepCopies,
		Timeout: patience, Interval: 20 * time.Millisecond, Clock: clock.RealClock{}, Out: w.said,
	}
	t.Cleanup(func() { w.clean(context.Background()) })
	return w
}

// clean leaves nothing cluster-wide to the next test.
func (w *world) clean(ctx context.Context) {
	for _, kind := range []client.Object{
		&admissionregistrationv1.ValidatingWebhookConfiguration{}, &admissionregistrationv1.MutatingWebhookConfiguration{},
		&admissionregistrationv1.ValidatingAdmissionPolicyBinding{}, &admissionregistrationv1.ValidatingAdmissionPolicy{},
	} {
		if err := w.DeleteAllOf(ctx, kind); err != nil {
			w.Error(err)
		}
	}
	for _, kind := range []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}} {
		if err := w.DeleteAllOf(ctx, kind, client.InNamespace(w.project)); err != nil {
			w.Error(err)
		}
	}
}

func (w *world) create(objects ...client.Object) {
	w.Helper()
	for _, object := range objects {
		if err := w.Create(w.Context(), object); err != nil {
			w.Fatalf("creating %T %s: %v", object, object.GetName(), err)
		}
	}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// start uninstalls, and says by the channel how that ended.
func (w *world) start() <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- uninstall.Run(w.Context(), w.options) }()
	return ended
}

// run uninstalls, which must succeed.
func (w *world) run() {
	w.Helper()
	w.said.Reset()
	if err := uninstall.Run(w.Context(), w.options); err != nil {
		w.Fatalf("%v; it said:\n%s", err, w.said)
	}
}

// eventually polls until a check has no complaint.
func (w *world) eventually(what string, check func() error) {
	w.Helper()
	var last error
	err := wait.PollUntilContextTimeout(w.Context(), 20*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		last = check()
		return last == nil, nil
	})
	if err != nil {
		w.Fatalf("waiting until %s: %v", what, last)
	}
}

// there says whether an object exists, and reads it.
func (w *world) there(object client.Object) bool {
	w.Helper()
	err := w.Get(w.Context(), client.ObjectKeyFromObject(object), object)
	if client.IgnoreNotFound(err) != nil {
		w.Fatal(err)
	}
	return !apierrors.IsNotFound(err)
}

func ourLabels() map[string]string { return map[string]string{"app.kubernetes.io/part-of": "credence"} }

// refusing are objects that refuse every Credential: nothing answers there.
func refusing(name string, labels map[string]string) []client.Object {
	meta := metav1.ObjectMeta{Name: name, Labels: labels}
	rule := admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.OperationAll},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{v1alpha1.Group}, APIVersions: []string{"*"}, Resources: []string{"credentials"}},
	}
	at := admissionregistrationv1.WebhookClientConfig{URL: new("https://127.0.0.1:1/")}
	fail, none := admissionregistrationv1.Fail, admissionregistrationv1.SideEffectClassNone
	return []client.Object{
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: meta, Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "a.example.com", ClientConfig: at, Rules: []admissionregistrationv1.RuleWithOperations{rule},
			FailurePolicy: &fail, SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
		}}},
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: meta, Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "a.example.com", ClientConfig: at, Rules: []admissionregistrationv1.RuleWithOperations{rule},
			FailurePolicy: &fail, SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
		}}},
		&admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: meta, Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: rule}}},
			Validations:      []admissionregistrationv1.Validation{{Expression: "false"}},
		}},
		&admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: meta, Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		}},
	}
}

// credential has finalizers and is nothing else.
func (w *world) credential(name string, finalizers ...string) *v1alpha1.Credential {
	c := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: w.project, Name: name, Finalizers: finalizers}}
	c.Spec.Type, c.Spec.Scope.Level, c.Spec.SecretRef.Name = v1alpha1.Generic, v1alpha1.ScopeProject, name
	return c
}

// copied is a copy, with all of its marks.
func (w *world) copied(name string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.project, Name: name,
			Labels:      map[string]string{v1alpha1.LabelCopyOf: name, v1alpha1.LabelManagedBy: v1alpha1.ManagedByCredence, "example.com/mine": "yes"},
			Annotations: map[string]string{v1alpha1.AnnotationCopyOfUID: "one", v1alpha1.AnnotationFingerprint: "key:value"},
		},
		Data: map[string][]byte{"token": []byte("not-a-secret")},
	}
}

// deployment is one of the processes, with a pod, though nothing makes it.
func (w *world) deployment(process string) (*appsv1.Deployment, *corev1.Pod) {
	labels := map[string]string{"app.kubernetes.io/part-of": "credence", "app.kubernetes.io/component": process}
	spec := corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/credence"}}}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.install, Name: "credence-" + process, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
		},
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.install, Name: process, Labels: labels}, Spec: spec}
	w.create(deployment, pod)
	deployment.Status.ObservedGeneration, deployment.Status.Replicas = deployment.Generation, 1
	w.must(w.Status().Update(w.Context(), deployment))
	return deployment, pod
}

// leads has somebody hold the Lease, who renews it for a year.
func (w *world) leads(holder string, seconds int32) *coordinationv1.Lease {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: w.install, Name: "leader"}}
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = &holder, &seconds
	now := metav1.NowMicro()
	lease.Spec.RenewTime = &now
	w.create(lease)
	return lease
}

// finalizers are those of a Credential.
func (w *world) finalizers(c *v1alpha1.Credential) []string {
	w.Helper()
	w.must(w.Get(w.Context(), client.ObjectKeyFromObject(c), c))
	return c.Finalizers
}

// patch is a merge patch.
func (w *world) patch(object client.Object, patch string) {
	w.Helper()
	w.must(w.Patch(w.Context(), object, client.RawPatch(types.MergePatchType, []byte(patch))))
}

var errNotYet = errors.New("not yet")
