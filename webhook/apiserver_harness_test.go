// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/mutating"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/credence-dev/credence/webhook"
)

// apiServer is the admission of an API server: its own plugin that calls mutating
// webhooks, with its own reinvocation, patching and checks.
type apiServer struct {
	t       *testing.T
	chain   admission.Interface
	objects admission.ObjectInterfaces
}

// ptr is for optional fields.
func ptr[T any](value T) *T { return &value }

// entries are the entries of the chart's webhook configuration. That the chart
// renders these is tested with the chart.
func entries(bundle []byte) []admissionregistrationv1.MutatingWebhook {
	const annotated = `has(object.metadata.annotations) && object.metadata.annotations != null && (object.metadata.annotations.size() > 1000 ||
		object.metadata.annotations.exists(name, name.matches('(?i)^([a-z0-9-]+[.])*credence[.]dev/') &&
		!(name in ['credence.dev/injected', 'credence.dev/restarted-for'])))`
	const mirror = `has(object.metadata.annotations) && object.metadata.annotations != null && 'kubernetes.io/config.mirror' in object.metadata.annotations`
	elsewhere := metav1.LabelSelectorRequirement{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"kube-system", "credence"}}
	entry := func(name, path, condition string, policy admissionregistrationv1.FailurePolicyType, reinvocation admissionregistrationv1.ReinvocationPolicyType, selector ...metav1.LabelSelectorRequirement) admissionregistrationv1.MutatingWebhook {
		return admissionregistrationv1.MutatingWebhook{
			Name: name,
			ClientConfig: admissionregistrationv1.WebhookClientConfig{CABundle: bundle, Service: &admissionregistrationv1.ServiceReference{
				Namespace: "credence", Name: "credence-webhook", Path: &path, Port: ptr(int32(443)),
			}},
			Rules:                   podCreation(),
			FailurePolicy:           &policy,
			MatchPolicy:             ptr(admissionregistrationv1.Equivalent),
			NamespaceSelector:       &metav1.LabelSelector{MatchExpressions: selector},
			ObjectSelector:          &metav1.LabelSelector{},
			SideEffects:             ptr(admissionregistrationv1.SideEffectClassNone),
			TimeoutSeconds:          ptr(int32(5)),
			AdmissionReviewVersions: []string{"v1"},
			ReinvocationPolicy:      &reinvocation,
			MatchConditions:         []admissionregistrationv1.MatchCondition{{Name: "not-a-mirror-pod", Expression: "!(" + mirror + ")"}, {Name: "pods", Expression: condition}},
		}
	}
	return []admissionregistrationv1.MutatingWebhook{
		entry("inject.pods.credence.dev", webhook.PathAnnotated, annotated, admissionregistrationv1.Fail, admissionregistrationv1.NeverReinvocationPolicy, elsewhere),
		entry("pull-secrets.pods.credence.dev", webhook.PathPullSecrets, "!("+annotated+")", admissionregistrationv1.Ignore, admissionregistrationv1.IfNeededReinvocationPolicy,
			metav1.LabelSelectorRequirement{Key: "credence.dev/project", Operator: metav1.LabelSelectorOpExists}, elsewhere),
	}
}

func podCreation() []admissionregistrationv1.RuleWithOperations {
	return []admissionregistrationv1.RuleWithOperations{{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
		Rule: admissionregistrationv1.Rule{
			APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}, Scope: ptr(admissionregistrationv1.NamespacedScope),
		},
	}}
}

// newAPIServer makes one that knows some namespaces and calls a webhook server.
func newAPIServer(t *testing.T, address string, webhooks []admissionregistrationv1.MutatingWebhook, namespaces ...*metav1.PartialObjectMetadata) *apiServer {
	t.Helper()
	objects := []runtime.Object{&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "credence"}, Webhooks: webhooks}}
	for _, namespace := range namespaces {
		labels := map[string]string{"kubernetes.io/metadata.name": namespace.Name}
		for key, value := range namespace.Labels {
			labels[key] = value
		}
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace.Name, Labels: labels}})
	}
	client := fake.NewClientset(objects...)
	factory := informers.NewSharedInformerFactory(client, 0)
	plugins := &admission.Plugins{}
	plugins.Register(mutating.PluginName, func(config io.Reader) (admission.Interface, error) { return mutating.NewMutatingWebhook(config) })
	chain, err := plugins.NewFromPlugins([]string{mutating.PluginName}, noConfig{}, initializer(func(plugin admission.Interface) {
		webhooks := plugin.(*mutating.Plugin)
		webhooks.SetServiceResolver(resolver(address))
		webhooks.SetExternalKubeClientSet(client)
		webhooks.SetExternalKubeInformerFactory(factory)
	}), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	t.Cleanup(func() { cancel(); factory.Shutdown() })
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return &apiServer{t: t, chain: chain, objects: admission.NewObjectInterfacesFromScheme(scheme)}
}

type noConfig struct{}

func (noConfig) ConfigFor(string) (io.Reader, error) { return nil, nil }

type initializer func(admission.Interface)

func (i initializer) Initialize(plugin admission.Interface) { i(plugin) }

// resolver finds every Service at one address.
type resolver string

func (r resolver) ResolveEndpoint(string, string, int32) (*url.URL, error) {
	return &url.URL{Scheme: "https", Host: string(r)}, nil
}

// admitted is what became of a pod, and what was noted about it.
type admitted struct {
	object   runtime.Object
	audit    map[string]string // without what the API server itself notes
	failOpen bool
	warnings []string
	err      error
}

// create admits an object as the API server does at the creation of a pod.
func (s *apiServer) create(namespace string, object runtime.Object, dryRun bool) admitted {
	s.t.Helper()
	kind := corev1.SchemeGroupVersion.WithKind("Pod")
	object.GetObjectKind().SetGroupVersionKind(kind)
	attributes := &notedAttributes{Attributes: admission.NewAttributesRecord(object, nil, kind, namespace, "", corev1.SchemeGroupVersion.WithResource("pods"), "",
		admission.Create, &metav1.CreateOptions{TypeMeta: metav1.TypeMeta{Kind: "CreateOptions", APIVersion: "meta.k8s.io/v1"}}, dryRun, &user.DefaultInfo{Name: "jane", Groups: []string{"system:authenticated"}})}
	noted := &notedWarnings{}
	err := s.chain.(admission.MutationInterface).Admit(warning.WithWarningRecorder(s.t.Context(), noted), attributes, s.objects)
	if pod, typed := attributes.GetObject().(*corev1.Pod); typed {
		pod.TypeMeta = metav1.TypeMeta{} // which is set or not, and means nothing in a type
	}
	result := admitted{object: attributes.GetObject(), audit: map[string]string{}, warnings: noted.texts, err: err}
	for key, value := range attributes.annotations {
		switch {
		case strings.HasPrefix(key, mutating.MutationAuditAnnotationFailedOpenKeyPrefix):
			result.failOpen = true
		case !strings.Contains(key, "webhook.admission.k8s.io/"):
			result.audit[key] = value
		}
	}
	return result
}

// notedAttributes notes audit annotations.
type notedAttributes struct {
	admission.Attributes
	mu          sync.Mutex
	annotations map[string]string
}

func (a *notedAttributes) AddAnnotation(key, value string) error {
	return a.AddAnnotationWithLevel(key, value, auditinternal.LevelMetadata)
}

func (a *notedAttributes) AddAnnotationWithLevel(key, value string, level auditinternal.Level) error {
	if err := a.Attributes.(interface {
		AddAnnotationWithLevel(key, value string, level auditinternal.Level) error
	}).AddAnnotationWithLevel(key, value, level); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.annotations == nil {
		a.annotations = map[string]string{}
	}
	a.annotations[key] = value
	return nil
}

type notedWarnings struct{ texts []string }

func (w *notedWarnings) AddWarning(_, text string) { w.texts = append(w.texts, text) }

// counting counts the requests to a handler.
func counting(handler http.Handler) (counted http.Handler, count func() int) {
	var mu sync.Mutex
	requests := 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			requests++
			mu.Unlock()
			handler.ServeHTTP(w, r)
		}), func() int {
			mu.Lock()
			defer mu.Unlock()
			return requests
		}
}
