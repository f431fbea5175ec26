// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/e2e/chart"
	"github.com/credence-dev/credence/e2e/controlplane"
)

// TestCredenceInACluster installs the chart. There are no nodes, so our own pods
// never run: the cluster is in the state in which the webhook is down.
func TestCredenceInACluster(t *testing.T) {
	plane := startPlane(t)
	admin, err := client.New(plane.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, namespace := range []*corev1.Namespace{
		{ObjectMeta: metav1.ObjectMeta{Name: installNamespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "team-a", Labels: map[string]string{"credence.dev/project": "a"}}},
	} {
		if err := admin.Create(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
	}
	manifests := rendered(t, "")
	if err := chart.Apply(t.Context(), admin, installNamespace, manifests.Objects); err != nil {
		t.Fatal(err)
	}

	t.Run("an upgrade to the same changes nothing", func(t *testing.T) { appliesAgain(t, admin, manifests) })
	t.Run("our own pods are restricted", func(t *testing.T) { ownPodsAreAdmitted(t, admin, manifests) })
	t.Run("pods while the webhook is down", func(t *testing.T) { podsWithoutWebhook(t, admin) })
	t.Run("rights", func(t *testing.T) { rightsHold(t, plane, admin) })
}

func appliesAgain(t *testing.T, admin client.Client, manifests *chart.Manifests) {
	before := resourceVersions(t, admin, manifests)
	if err := chart.Apply(t.Context(), admin, installNamespace, manifests.Objects); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, resourceVersions(t, admin, manifests)); diff != "" {
		t.Errorf("resource versions (-before +after):\n%s", diff)
	}
}

func resourceVersions(t *testing.T, admin client.Client, manifests *chart.Manifests) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, object := range manifests.Objects {
		current := &unstructured.Unstructured{}
		current.SetGroupVersionKind(object.GroupVersionKind())
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(object), current); err != nil {
			t.Fatal(err)
		}
		found[object.GetKind()+" "+object.GetName()] = current.GetResourceVersion()
	}
	return found
}

func ownPodsAreAdmitted(t *testing.T, admin client.Client, manifests *chart.Manifests) {
	for name, deployment := range typed[appsv1.Deployment](t, manifests, "Deployment") {
		pod := &corev1.Pod{ObjectMeta: deployment.Spec.Template.ObjectMeta, Spec: deployment.Spec.Template.Spec}
		pod.Namespace, pod.Name = installNamespace, name
		if err := admin.Create(t.Context(), pod, client.DryRunAll); err != nil {
			t.Errorf("a pod of %s: %v", name, err)
		}
	}
}

func podsWithoutWebhook(t *testing.T, admin client.Client) {
	asks := map[string]string{"credence.dev/credentials": "openai"}
	create := func(ctx context.Context, namespace string, annotations map[string]string) error {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web", Annotations: annotations},
			Spec:       restrictedPod(),
		}
		if _, mirror := annotations["kubernetes.io/config.mirror"]; mirror {
			pod.Spec.NodeName = "node"
		}
		return admin.Create(ctx, pod, client.DryRunAll)
	}
	refused := func(err error) bool { return err != nil && strings.Contains(err.Error(), "inject.pods.credence.dev") }
	// The API server's own watch of the configuration takes a moment.
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		return refused(create(ctx, "team-a", asks)), nil
	})
	if err != nil {
		t.Fatalf("a pod that asks for credentials is not refused while the webhook is down: %v", err)
	}
	cases := map[string]struct {
		namespace   string
		annotations map[string]string
		refused     bool
	}{
		"one that asks, outside projects":        {"default", asks, true},
		"one that asks, in the system namespace": {"credence-credentials", asks, true},
		"one that asks, in kube-system":          {"kube-system", asks, false},
		"one that asks, in our own namespace":    {installNamespace, asks, false},
		"one that does not ask":                  {"team-a", nil, false},
		"one that bears our marks":               {"team-a", map[string]string{"credence.dev/injected": "{}"}, false},
		"a mirror pod":                           {"team-a", map[string]string{"kubernetes.io/config.mirror": "x", "credence.dev/credentials": "openai"}, false},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			if err := create(t.Context(), test.namespace, test.annotations); refused(err) != test.refused || !test.refused && err != nil {
				t.Errorf("the error is %v, want a refusal: %t", err, test.refused)
			}
		})
	}
}

func restrictedPod() corev1.PodSpec {
	return corev1.PodSpec{
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: ptr(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{
			Name: "main", Image: "registry.example.com/web:1",
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: ptr(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
	}
}

// rightsHold tries what RBAC's rules are easily wrong about.
func rightsHold(t *testing.T, plane *controlplane.ControlPlane, admin client.Client) {
	for _, key := range []types.NamespacedName{
		{Namespace: installNamespace, Name: "credence-webhook-ca"}, {Namespace: installNamespace, Name: "credence-fingerprint-key"},
		{Namespace: "team-a", Name: "credence-webhook-ca"},
	} {
		if err := admin.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}); err != nil {
			t.Fatal(err)
		}
	}
	webhook, controller := connect(t, plane, "credence-webhook"), connect(t, plane, "credence-controller")
	all := metav1.ListOptions{}
	byName := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", "credence-webhook-ca").String()}
	for name, test := range map[string]struct {
		attempt func(context.Context) error
		allowed bool
	}{
		"the webhook gets its CA":                             {webhook.get(installNamespace, "credence-webhook-ca"), false},
		"the webhook lists its CA":                            {webhook.list(byName), true},
		"the webhook watches its CA":                          {webhook.watch(byName), true},
		"the webhook lists Secrets beside its CA":             {webhook.list(all), false},
		"the webhook watches Secrets beside its CA":           {webhook.watch(all), false},
		"the webhook gets another key":                        {webhook.get(installNamespace, "credence-fingerprint-key"), false},
		"the webhook gets a Secret elsewhere":                 {webhook.get("team-a", "credence-webhook-ca"), false},
		"the webhook publishes a bundle":                      {webhook.publish("credence"), false},
		"the controller gets a Secret elsewhere":              {controller.get("team-a", "credence-webhook-ca"), true},
		"the controller replaces a CA":                        {controller.replace(installNamespace, "credence-webhook-ca"), true},
		"the controller replaces the fingerprint key":         {controller.replace(installNamespace, "credence-fingerprint-key"), false},
		"the controller replaces a Secret elsewhere":          {controller.replace("team-a", "credence-webhook-ca"), false},
		"the controller publishes a bundle":                   {controller.publish("credence"), true},
		"the controller publishes a bundle where it must not": {controller.publish("another"), false},
		"the controller lists its webhook configurations":     {controller.listConfigurations("credence"), true},
		"the controller lists those of others":                {controller.listConfigurations("another"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.attempt(t.Context()); apierrors.IsForbidden(err) == test.allowed || test.allowed && err != nil {
				t.Errorf("the error is %v, want it allowed: %t", err, test.allowed)
			}
		})
	}
}

// account is a client with the rights of a service account. Its methods return
// what is to be attempted.
type account struct{ kubernetes.Interface }

// connect returns a client with the rights of a service account of the install
// namespace.
func connect(t *testing.T, plane *controlplane.ControlPlane, name string) account {
	t.Helper()
	config, err := plane.ConfigFor("system:serviceaccount:"+installNamespace+":"+name,
		"system:serviceaccounts", "system:serviceaccounts:"+installNamespace, "system:authenticated")
	if err != nil {
		t.Fatal(err)
	}
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return account{clientset}
}

func (a account) get(namespace, name string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := a.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
		return err
	}
}

func (a account) list(options metav1.ListOptions) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := a.CoreV1().Secrets(installNamespace).List(ctx, options)
		return err
	}
}

func (a account) watch(options metav1.ListOptions) func(context.Context) error {
	return func(ctx context.Context) error {
		watch, err := a.CoreV1().Secrets(installNamespace).Watch(ctx, options)
		if err != nil {
			return err
		}
		watch.Stop()
		return nil
	}
}

func (a account) replace(namespace, name string) func(context.Context) error {
	return func(ctx context.Context) error {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"replaced": "true"}}}
		_, err := a.CoreV1().Secrets(namespace).Update(ctx, secret, metav1.UpdateOptions{})
		return err
	}
}

// publish writes, as the publisher does, by a JSON patch.
func (a account) publish(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		patch := []byte(`[{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": ""}]`)
		_, err := a.AdmissionregistrationV1().MutatingWebhookConfigurations().
			Patch(ctx, name, types.JSONPatchType, patch, metav1.PatchOptions{})
		return err
	}
}

func (a account) listConfigurations(name string) func(context.Context) error {
	only := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String()}
	return func(ctx context.Context) error {
		_, err := a.AdmissionregistrationV1().ValidatingWebhookConfigurations().List(ctx, only)
		return err
	}
}
