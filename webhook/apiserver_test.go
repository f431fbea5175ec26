// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/serving"
	"github.com/credence-dev/credence/webhook"
)

// pod is a pod of the API server's type. Its name and namespace are empty, as they
// are for most pods at admission (failure mode 14).
func pod(t *testing.T, document string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{}
	if err := json.Unmarshal([]byte(document), pod); err != nil {
		t.Fatal(err)
	}
	pod.TypeMeta = metav1.TypeMeta{}
	return pod
}

// clusterWithCredentials is a fixture whose handlers are called by an API server.
func clusterWithCredentials(t *testing.T) (*fixture, *apiServer) {
	t.Helper()
	f := newFixture(t)
	taken := generic("team-a", "slow", "")
	taken.Status.PendingNamespaces = []string{"team-a"}
	f.know(namespace(systemNamespace, nil), project("team-a", ""), namespace("elsewhere", nil),
		generic("team-a", "openai", ""), taken, behind(generic("team-a", "never", "")),
		registry("hub", "registry.example.com"), registry("quay", "quay.example.com"))
	certificate, bundle := newCertificate(t)
	return f, newAPIServer(t, serveHTTPS(t, certificate, f.handlers), entries(bundle),
		project("team-a", ""), namespace("elsewhere", nil), project("kube-system", "x"), project("credence", "x"))
}

// What the API server makes of our answers to pods of its own type. The patch is
// applied, UID, type and patch type are checked by its code (failure modes 14, 25).
func TestAdmission(t *testing.T) {
	_, api := clusterWithCredentials(t)
	injected := func(t *testing.T, change func(*corev1.Pod)) *corev1.Pod {
		want := pod(t, naming("openai"))
		change(want)
		return want
	}
	withHub := []corev1.LocalObjectReference{{Name: "dockerregistry-hub"}}
	cases := map[string]struct {
		namespace string
		pod       string
		want      func(*testing.T) *corev1.Pod // nil: as it was
		audit     map[string]string
		warnings  []string
	}{
		"annotated": {
			namespace: "team-a", pod: naming("openai"),
			want: func(t *testing.T) *corev1.Pod {
				return injected(t, func(p *corev1.Pod) {
					p.Annotations[v1alpha1.AnnotationInjected] = `{"hub":["imagePullSecrets (automatic)"],"openai":["envFrom"]}`
					p.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "openai"}}}}
					p.Spec.ImagePullSecrets = withHub
				})
			},
			audit: map[string]string{
				"inject.pods.credence.dev/openai": "envFrom",
				"inject.pods.credence.dev/hub":    "imagePullSecrets (automatic)",
			},
		},
		"a copy that is pending": {
			namespace: "team-a", pod: podWith(map[string]string{"env.credence.dev/A": "slow/KEY_OF_SLOW"}),
			want: func(t *testing.T) *corev1.Pod {
				return injected(t, func(p *corev1.Pod) {
					p.Annotations = map[string]string{
						"env.credence.dev/A":        "slow/KEY_OF_SLOW",
						v1alpha1.AnnotationInjected: `{"hub":["imagePullSecrets (automatic)"],"slow":["env A"]}`,
					}
					p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
						LocalObjectReference: corev1.LocalObjectReference{Name: "slow"}, Key: "KEY_OF_SLOW",
					}}}}
					p.Spec.ImagePullSecrets = withHub
				})
			},
			audit: map[string]string{
				"inject.pods.credence.dev/slow": "env A",
				"inject.pods.credence.dev/hub":  "imagePullSecrets (automatic)",
			},
			warnings: []string{`credential "slow" is not in namespace team-a yet; the pod starts when it is`},
		},
		"not annotated": {
			namespace: "team-a", pod: podWith(nil),
			want: func(t *testing.T) *corev1.Pod {
				return injected(t, func(p *corev1.Pod) {
					p.Annotations = map[string]string{v1alpha1.AnnotationInjected: `{"hub":["imagePullSecrets (automatic)"]}`}
					p.Spec.ImagePullSecrets = withHub
				})
			},
			audit: map[string]string{"pull-secrets.pods.credence.dev/hub": "imagePullSecrets (automatic)"},
		},
		"nothing at all":                  {namespace: "team-a", pod: podWith(map[string]string{v1alpha1.AnnotationInject: "false"})},
		"a mirror pod (19)":               {namespace: "team-a", pod: podWith(map[string]string{corev1.MirrorPodAnnotationKey: "x", v1alpha1.AnnotationCredentials: "openai"})},
		"outside projects":                {namespace: "elsewhere", pod: podWith(nil)},
		"kube-system, annotated":          {namespace: "kube-system", pod: naming("openai")},
		"the install namespace":           {namespace: "credence", pod: podWith(nil)},
		"what we write asks nothing (13)": {namespace: "elsewhere", pod: podWith(map[string]string{v1alpha1.AnnotationInjected: "{}"})},
	}
	for name, test := range cases {
		for _, dryRun := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				want := pod(t, test.pod)
				if test.want != nil {
					want = test.want(t)
				}
				got := api.create(test.namespace, pod(t, test.pod), dryRun)
				if got.err != nil || got.failOpen {
					t.Fatalf("not admitted by us: %v", got.err)
				}
				if diff := cmp.Diff(want, got.object); diff != "" {
					t.Errorf("pod (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(test.audit, got.audit); diff != "" && len(test.audit)+len(got.audit) > 0 {
					t.Errorf("audit annotations (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(test.warnings, got.warnings); diff != "" {
					t.Errorf("warnings (-want +got):\n%s", diff)
				}
				again := api.create(test.namespace, got.object.DeepCopyObject(), dryRun)
				if diff := cmp.Diff(got.object, again.object); again.err != nil || diff != "" {
					t.Errorf("admitted again: %v (-once +twice):\n%s", again.err, diff)
				}
			})
		}
	}
}

// What a client is told, and what it may conclude from it.
func TestRefusal(t *testing.T) {
	f, api := clusterWithCredentials(t)
	const denied = `admission webhook "inject.pods.credence.dev" denied the request: `
	cases := map[string]struct {
		namespace, pod string
		is             func(error) bool
		message        string
	}{
		"an unknown credential": {"team-a", naming("openay"), apierrors.IsForbidden,
			denied + `annotation credence.dev/credentials: there is no credential "openay" in namespace team-a; did you mean "openai"?`},
		"no project": {"elsewhere", naming("openai"), apierrors.IsForbidden,
			denied + `annotation credence.dev/credentials: namespace elsewhere is not a project; label it credence.dev/project=<name>`},
		"another spelling": {"team-a", podWith(map[string]string{"Credence.dev/credentials": "openai"}), apierrors.IsForbidden,
			denied + `annotation Credence.dev/credentials: `},
		"not ready": {"team-a", naming("never"), apierrors.IsServiceUnavailable,
			denied + `annotation credence.dev/credentials: credential "never" is still being prepared, try again`},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			before := pod(t, test.pod)
			got := api.create(test.namespace, before.DeepCopy(), false)
			if got.err == nil || !test.is(got.err) || !strings.HasPrefix(got.err.Error(), test.message) {
				t.Errorf("refused with %v, want %s", got.err, test.message)
			}
			if _, retryAfter := apierrors.SuggestsClientDelay(got.err); retryAfter || apierrors.IsTimeout(got.err) {
				t.Errorf("%v makes clients wait", got.err)
			}
			if diff := cmp.Diff(before, got.object); diff != "" {
				t.Errorf("a refused pod was changed (-want +got):\n%s", diff)
			}
		})
	}
	if reads := f.cluster.asked(); slices.Contains(reads, "Credential team-a/openai") {
		t.Errorf("what is known was read: %q", reads)
	}
}

// Failure mode 11: fields that no type of ours knows survive. The API server keeps
// them only in objects without a Go type.
func TestUnknownFieldsSurvive(t *testing.T) {
	_, api := clusterWithCredentials(t)
	document := `{"apiVersion":"v1","kind":"Pod","metadata":{"annotations":{"credence.dev/credentials":"openai"},"future":{"a":[1,2.5,{"b":null}]}},
		"spec":{"future":"x","containers":[{"name":"web","image":"registry.example.com/web:1","future":[{}],"env":[{"name":"A","value":"1","future":true}]}]}}`
	read := func() *unstructured.Unstructured {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON([]byte(document)); err != nil {
			t.Fatal(err)
		}
		return object
	}
	got := api.create("team-a", read(), false)
	if got.err != nil {
		t.Fatal(got.err)
	}
	want := read()
	want.SetAnnotations(map[string]string{"credence.dev/credentials": "openai", v1alpha1.AnnotationInjected: `{"hub":["imagePullSecrets (automatic)"],"openai":["envFrom"]}`})
	spec := want.Object["spec"].(map[string]any)
	spec["imagePullSecrets"] = []any{map[string]any{"name": "dockerregistry-hub"}}
	spec["containers"].([]any)[0].(map[string]any)["envFrom"] = []any{map[string]any{"secretRef": map[string]any{"name": "openai"}}}
	if diff := cmp.Diff(want, got.object); diff != "" {
		t.Errorf("pod (-want +got):\n%s", diff)
	}
}

// Failure mode 12: another webhook adds a sidecar after ours. The entry for pull
// secrets is called again and adds what the sidecar needs, once; the entry for
// annotated pods is not called again.
func TestReinvocation(t *testing.T) {
	f := newFixture(t)
	f.know(namespace(systemNamespace, nil), project("team-a", ""), generic("team-a", "openai", ""),
		registry("hub", "registry.example.com"), registry("quay", "quay.example.com"))
	injects, injectCount := counting(f.handlers[webhook.PathAnnotated])
	pulls, pullCount := counting(f.handlers[webhook.PathPullSecrets])
	mesh := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review struct {
			Request struct {
				UID    string     `json:"uid"`
				Object corev1.Pod `json:"object"`
			} `json:"request"`
		}
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			t.Error(err)
		}
		response := map[string]any{"uid": review.Request.UID, "allowed": true}
		if len(review.Request.Object.Spec.Containers) == 1 {
			response["patchType"] = "JSONPatch"
			response["patch"] = []byte(`[{"op":"add","path":"/spec/containers/0","value":{"name":"mesh","image":"quay.example.com/mesh:1"}}]`)
		}
		_, _ = w.Write(marshal(map[string]any{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response}))
	})
	certificate, bundle := newCertificate(t)
	address := serveHTTPS(t, certificate, map[string]http.Handler{webhook.PathAnnotated: injects, webhook.PathPullSecrets: pulls, "/mesh": mesh})
	webhooks := entries(bundle)
	last := *webhooks[0].DeepCopy()
	last.Name, last.ClientConfig.Service.Path, last.MatchConditions = "mesh.example.com", ptr("/mesh"), nil
	api := newAPIServer(t, address, append(webhooks, last), project("team-a", ""))

	for name, test := range map[string]struct {
		pod           string
		injects       int
		pulls         int
		wantPullNames []string
	}{
		"annotated":     {naming("openai"), 1, 0, []string{"dockerregistry-hub"}},
		"not annotated": {podWith(nil), 0, 2, []string{"dockerregistry-hub", "dockerregistry-quay"}},
	} {
		t.Run(name, func(t *testing.T) {
			injectsBefore, pullsBefore := injectCount(), pullCount()
			got := api.create("team-a", pod(t, test.pod), false)
			if got.err != nil {
				t.Fatal(got.err)
			}
			var names []string
			spec := got.object.(*corev1.Pod).Spec
			for _, reference := range spec.ImagePullSecrets {
				names = append(names, reference.Name)
			}
			if diff := cmp.Diff(test.wantPullNames, names); diff != "" {
				t.Errorf("pull secrets (-want +got):\n%s", diff)
			}
			if len(spec.Containers) != 2 || len(spec.Containers[0].EnvFrom) != 0 || len(spec.Containers[1].EnvFrom) != test.injects {
				t.Errorf("containers: %v", spec.Containers)
			}
			if injects, pulls := injectCount()-injectsBefore, pullCount()-pullsBefore; injects != test.injects || pulls != test.pulls {
				t.Errorf("called for injection %d times and for pull secrets %d times, want %d and %d", injects, pulls, test.injects, test.pulls)
			}
		})
	}
}

// When we cannot decide, the failure policy does: annotated pods are refused, with
// a sentence, and the others start.
func TestFailurePolicy(t *testing.T) {
	broken := newFixture(t)
	broken.handlers = map[string]http.Handler{}
	if err := webhook.Register(broken, webhook.Options{Registry: prometheus.NewRegistry(), Log: logr.Discard()}, func(next http.Handler) http.Handler { return next }); err != nil {
		t.Fatal(err)
	}
	starting := map[string]http.Handler{}
	for _, path := range []string{webhook.PathAnnotated, webhook.PathPullSecrets} {
		starting[path] = serving.WhenReady(func() bool { return false }, http.NotFoundHandler())
	}
	working, _ := clusterWithCredentials(t)
	cases := map[string]struct {
		handlers  map[string]http.Handler
		annotated string // the pod's value of an annotation that is not ours
		message   string
	}{
		"a panic": {broken.handlers, "",
			`failed calling webhook "inject.pods.credence.dev": failed to call webhook: credence could not decide because of an error of its own, which is in its log`},
		"starting (5)": {starting, "",
			`failed calling webhook "inject.pods.credence.dev": failed to call webhook: credence is starting: its caches are not complete yet`},
		"a review that is too large": {working.handlers, strings.Repeat("<", 2<<20), // six bytes each, as the API server writes them
			`failed calling webhook "inject.pods.credence.dev": failed to call webhook: the AdmissionReview is larger than 7340032 bytes`},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			certificate, bundle := newCertificate(t)
			api := newAPIServer(t, serveHTTPS(t, certificate, test.handlers), entries(bundle), project("team-a", ""))
			annotated, bare := pod(t, naming("openai")), pod(t, podWith(nil))
			for _, pod := range []*corev1.Pod{annotated, bare} {
				metav1.SetMetaDataAnnotation(&pod.ObjectMeta, "example.com/note", test.annotated)
			}
			got := api.create("team-a", annotated, false)
			if got.err == nil || !apierrors.IsInternalError(got.err) || !strings.Contains(got.err.Error(), test.message) {
				t.Errorf("an annotated pod: %v, want %s", got.err, test.message)
			}
			if got := api.create("team-a", bare, false); got.err != nil || !got.failOpen {
				t.Errorf("another pod: %v", got.err)
			}
		})
	}
}
