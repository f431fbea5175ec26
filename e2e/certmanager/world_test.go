// SPDX-License-Identifier: Apache-2.0

// Package certmanager tests Credence with certificates of cert-manager: in the cluster
// of KUBECONFIG, where both are installed already, with certs.mode=cert-manager.
package certmanager

import (
	"context"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// asked says that there is such a cluster.
const asked = "CREDENCE_E2E_CERT_MANAGER"

// installNamespace is where Credence runs.
const installNamespace = "credence"

// within bounds what hangs; nothing waits for it. A kubelet takes a minute or two to
// bring a changed Secret into a volume.
const within = 5 * time.Minute

// world is a project of its own in that cluster.
type world struct {
	*testing.T
	config    *rest.Config
	client    client.Client
	namespace string
}

// newWorld makes the project, with a credential "key" that can be used.
func newWorld(t *testing.T) *world {
	t.Helper()
	path := os.Getenv("KUBECONFIG")
	switch {
	case os.Getenv(asked) != "1":
		t.Skipf("LEFT OUT: certificates of cert-manager. Where cert-manager is installed, and Credence with certs.mode=cert-manager, set %s=1 and KUBECONFIG", asked)
	case path == "":
		t.Fatalf("%s is set, and KUBECONFIG is not: set it to a file that leads to the cluster", asked)
	}
	w := &world{T: t, namespace: "certs-" + rand.String(5)}
	var err error
	w.config, err = clientcmd.BuildConfigFromFlags("", path)
	w.must(err)
	w.config.QPS = -1
	scheme := runtime.NewScheme()
	w.must(clientgoscheme.AddToScheme(scheme))
	w.must(v1alpha1.AddToScheme(scheme))
	w.client, err = client.New(w.config, client.Options{Scheme: scheme})
	w.must(err)
	w.furnish()
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// furnish makes what newWorld promises.
func (w *world) furnish() {
	w.Helper()
	project := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace, Labels: map[string]string{v1alpha1.LabelProject: w.namespace}}}
	w.must(w.client.Create(w.Context(), project))
	w.Cleanup(func() {
		if err := w.client.Delete(context.WithoutCancel(w.Context()), project); err != nil {
			w.Error(err)
		}
	})
	w.must(w.client.Create(w.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "key", Labels: map[string]string{v1alpha1.LabelSourceType: "generic"}},
		StringData: map[string]string{"TOKEN": "not-a-secret"},
	}))
	w.must(w.client.Create(w.Context(), &v1alpha1.Credential{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "key"},
		Spec: v1alpha1.CredentialSpec{
			Type: v1alpha1.Generic, Scope: v1alpha1.Scope{Level: v1alpha1.ScopeProject},
			SecretRef: v1alpha1.SecretReference{Name: "key"},
		},
	}))
	w.eventually("the credential can be used", func(ctx context.Context) (bool, error) {
		c := &v1alpha1.Credential{}
		err := w.client.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: "key"}, c)
		return c.Status.State == v1alpha1.StateNoIssuesFound, err
	})
}

// eventually polls until it is so. An error ends it.
func (w *world) eventually(what string, condition wait.ConditionWithContextFunc) {
	w.Helper()
	if err := wait.PollUntilContextTimeout(w.Context(), 500*time.Millisecond, within, true, condition); err != nil {
		w.Fatalf("waiting until %s: %v", what, err)
	}
}

// pod asks for the credential.
func (w *world) pod(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name, Annotations: map[string]string{v1alpha1.AnnotationCredentials: "key"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/app"}}},
	}
}

// injected says whether a pod has the credential.
func injected(pod *corev1.Pod) bool {
	for _, source := range pod.Spec.Containers[0].EnvFrom {
		if source.SecretRef != nil && source.SecretRef.Name == "key" {
			return true
		}
	}
	return false
}
