// SPDX-License-Identifier: Apache-2.0

package kinds_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/cert"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/kinds"
	"github.com/credence-dev/credence/injector/workload"
)

const patience = 90 * time.Second

// follower notes what it is to follow.
type follower struct {
	mu    sync.Mutex
	kinds map[schema.GroupKind]string // paths
}

func (f *follower) Add(kind workload.Kind) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var paths []string
	for _, path := range kind.Paths {
		paths = append(paths, path.String())
	}
	f.kinds[schema.GroupKind{Group: kind.Group, Kind: kind.Kind}] = strings.Join(paths, " ")
	return nil
}

func (f *follower) Remove(kind schema.GroupKind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.kinds, kind)
}

func (f *follower) paths(kind string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kinds[schema.GroupKind{Group: "example.com", Kind: kind}]
}

// world is a cluster with the controller of WorkloadKinds, which has the rights of the
// chart and those of labelled ClusterRoles.
type world struct {
	*testing.T
	client.Client
	follower *follower
	role     *rbacv1.ClusterRole
}

func newWorld(t *testing.T) *world {
	t.Helper()
	admin, err := client.New(apiServer.Config(t), client.Options{Scheme: testScheme})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, Client: admin, follower: &follower{kinds: map[schema.GroupKind]string{}}}
	w.role = &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "controller"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.Group}, Resources: []string{"workloadkinds"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{v1alpha1.Group}, Resources: []string{"workloadkinds/status"}, Verbs: []string{"update"}},
		{APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions"}, Verbs: []string{"get"}},
		{APIGroups: []string{"admissionregistration.k8s.io"}, Resources: []string{"mutatingwebhookconfigurations"}, Verbs: []string{"create"}},
		{APIGroups: []string{"admissionregistration.k8s.io"}, Resources: []string{"mutatingwebhookconfigurations"}, ResourceNames: []string{"credence", "credence-workload-kinds"}, Verbs: []string{"get", "list", "watch", "update", "patch", "delete"}},
		{APIGroups: []string{"events.k8s.io"}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
	}}
	w.create(w.role, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "controller"}, Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: "controller"}},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "controller"},
	}, chartConfiguration())
	w.start()
	return w
}

// start runs the controller as its own user until the test ends.
func (w *world) start() {
	w.Helper()
	own := apiServer.Config(w.T)
	own.Impersonate.UserName, own.Impersonate.Groups = "controller", []string{"system:authenticated"}
	mgr, err := ctrl.NewManager(own, ctrl.Options{
		Scheme: testScheme, Logger: logr.Discard(), Metrics: metricsserver.Options{BindAddress: "0"},
		Controller: ctrlconfig.Controller{SkipNameValidation: new(true)},
	})
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	err = kinds.Setup(ctx, mgr, kinds.Options{
		Claims: &workload.Registry{}, Follower: w.follower, APIReader: mgr.GetAPIReader(), Recorder: mgr.GetEventRecorder("test"),
		Controller: controller.Options{MaxConcurrentReconciles: 1},
	})
	if err != nil {
		w.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	w.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.Error(err)
		}
	})
}

func (w *world) create(objects ...client.Object) {
	w.Helper()
	for _, object := range objects {
		if err := w.Create(w.Context(), object); err != nil {
			w.Fatal(err)
		}
	}
}

func (w *world) eventually(what string, check func() string) {
	w.Helper()
	var last string
	err := wait.PollUntilContextTimeout(w.Context(), 20*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		last = check()
		return last == "", nil
	})
	if err != nil {
		w.Fatalf("waiting until %s: %s", what, last)
	}
}

// chartConfiguration is the part of the chart's that matters here.
func chartConfiguration() *admissionregistrationv1.MutatingWebhookConfiguration {
	none := admissionregistrationv1.SideEffectClassNone
	ignore := admissionregistrationv1.Ignore
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "credence"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "carry.workloads.credence.dev", SideEffects: &none, FailurePolicy: &ignore, AdmissionReviewVersions: []string{"v1"},
			ClientConfig:    admissionregistrationv1.WebhookClientConfig{URL: new("https://127.0.0.1:1/workloads/carry"), CABundle: []byte(bundle)},
			MatchConditions: []admissionregistrationv1.MatchCondition{{Name: "never", Expression: "false"}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"}},
			}},
		}},
	}
}

// Two bundles of certificates.
var bundle, otherBundle = newBundle(), newBundle()

func newBundle() string {
	certificate, _, err := cert.GenerateSelfSignedCertKey("localhost", nil, nil)
	if err != nil {
		panic(err)
	}
	return string(certificate)
}

// kind is a WorkloadKind of example.com/v1.
func kind(name, of string, paths ...string) *v1alpha1.WorkloadKind {
	return &v1alpha1.WorkloadKind{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.WorkloadKindSpec{APIVersion: "example.com/v1", Kind: of, PodTemplatePaths: paths},
	}
}

// ready waits until a WorkloadKind is judged so, and returns the message.
func (w *world) ready(name, reason string) (message string) {
	w.Helper()
	w.eventually(name+" is "+reason, func() string {
		told := &v1alpha1.WorkloadKind{}
		if err := w.Get(w.Context(), client.ObjectKey{Name: name}, told); err != nil {
			return err.Error()
		}
		condition := meta.FindStatusCondition(told.Status.Conditions, v1alpha1.ConditionReady)
		if condition == nil || condition.Reason != reason || told.Status.ObservedGeneration != told.Generation || condition.ObservedGeneration != told.Generation {
			return fmt.Sprintf("%+v", condition)
		}
		message = condition.Message
		if isReady := reason == v1alpha1.ReasonFollowed || reason == v1alpha1.ReasonBuiltIn; isReady != (condition.Status == metav1.ConditionTrue) {
			w.Errorf("%s is %s and Ready=%s", name, reason, condition.Status)
		}
		return ""
	})
	return message
}

// asked waits until the webhook is asked about these resources.
func (w *world) asked(want ...string) *admissionregistrationv1.MutatingWebhookConfiguration {
	w.Helper()
	live := &admissionregistrationv1.MutatingWebhookConfiguration{}
	w.eventually("the webhook is asked as it should be", func() string {
		err := w.Get(w.Context(), client.ObjectKey{Name: kinds.ConfigurationName}, live)
		if apierrors.IsNotFound(err) && len(want) == 0 {
			return ""
		}
		if err != nil || len(want) == 0 {
			return fmt.Sprintf("there is one: %v", err)
		}
		var got []string
		if len(live.Webhooks) == 1 {
			for _, rule := range live.Webhooks[0].Rules {
				got = append(got, rule.Resources[0]+"."+rule.APIGroups[0]+"/"+rule.APIVersions[0])
			}
		}
		return cmp.Diff(want, got)
	})
	return live
}

// definitionOf has the API server serve a kind of example.com/v1 with templates at
// .spec.template and .spec.groups[*].template.
func (w *world) definitionOf(kind string) {
	w.Helper()
	template := apiextensionsv1.JSONSchemaProps{Type: "object", Properties: map[string]apiextensionsv1.JSONSchemaProps{
		"metadata": {Type: "object", XPreserveUnknownFields: new(true)},
		"spec":     {Type: "object", XPreserveUnknownFields: new(true)},
	}}
	plural := strings.ToLower(kind) + "s"
	crd := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: plural + ".example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "example.com", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: plural, Singular: strings.ToLower(kind), Kind: kind, ListKind: kind + "List"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", Properties: map[string]apiextensionsv1.JSONSchemaProps{"spec": {Type: "object", Properties: map[string]apiextensionsv1.JSONSchemaProps{
						"template": template,
						"groups": {Type: "array", Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &apiextensionsv1.JSONSchemaProps{
							Type: "object", Properties: map[string]apiextensionsv1.JSONSchemaProps{"template": template},
						}}},
					}}},
				}},
			}},
		},
	}
	if _, err := envtest.InstallCRDs(apiServer.Config(w.T), envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{crd}}); err != nil {
		w.Fatal(err)
	}
}

// undefine has the API server serve a kind of example.com/v1 no more.
func (w *world) undefine(kind string) {
	w.Helper()
	crd := &unstructured.Unstructured{}
	crd.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	crd.SetName(strings.ToLower(kind) + "s.example.com")
	if err := w.Delete(w.Context(), crd); err != nil {
		w.Fatal(err)
	}
}

// allow gives the controller a right, as a labelled ClusterRole would.
func (w *world) allow(resource string, verbs ...string) {
	w.Helper()
	w.role.Rules = append(w.role.Rules, rbacv1.PolicyRule{APIGroups: []string{"example.com"}, Resources: []string{resource}, Verbs: verbs})
	if err := w.Update(w.Context(), w.role); err != nil {
		w.Fatal(err)
	}
}

// poke has a WorkloadKind looked at before its time.
func (w *world) poke(name string) {
	w.Helper()
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{"poked":"%d"}}}`, time.Now().UnixNano())
	if err := w.Patch(w.Context(), kind(name, ""), client.RawPatch(types.MergePatchType, patch)); err != nil {
		w.Fatal(err)
	}
}
