// SPDX-License-Identifier: Apache-2.0

package stage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/credence-dev/credence/e2e/image"
	"github.com/credence-dev/credence/e2e/stage"
	"github.com/credence-dev/credence/e2e/stage/report"
)

// The cluster that the tests are run on: a kubeconfig, and where compiled programs are
// kept. Its nodes are containers of the container engine that docker reaches, as kind
// makes them, with a containerd that reads /etc/containerd/certs.d.
const (
	kubeconfigVariable = "CREDENCE_E2E_KUBECONFIG"
	cacheVariable      = "CREDENCE_E2E_CACHE"
)

// namespace is where the tests have their pods. It takes none that is not restricted.
const namespace = "stage-trial"

// world is started by the first test that needs it.
type world struct {
	*stage.Stage
	kube kubernetes.Interface
}

var started = sync.OnceValues(func() (*world, error) {
	ctx := context.Background()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv(kubeconfigVariable))
	if err != nil {
		return nil, err
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	cache := os.Getenv(cacheVariable)
	if cache == "" {
		cache = "../../.cluster"
	}
	s, err := stage.Start(ctx, kube, &containers{kube}, cache, os.Stderr)
	if err != nil {
		return nil, err
	}
	return &world{Stage: s, kube: kube}, fresh(ctx, kube)
})

func onCluster(t *testing.T) *world {
	t.Helper()
	if os.Getenv(kubeconfigVariable) == "" {
		t.Skipf("NOT TESTED: the registries, Git and S3 need a cluster, and $%s names no kubeconfig", kubeconfigVariable)
	}
	w, err := started()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// fresh makes the namespace of the tests.
func fresh(ctx context.Context, kube kubernetes.Interface) error {
	namespaces := kube.CoreV1().Namespaces()
	if err := namespaces.Delete(ctx, namespace, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := until(ctx, func() (bool, error) {
		_, err := namespaces.Create(ctx, made, metav1.CreateOptions{})
		return err == nil, err
	}); err != nil {
		return err
	}
	return until(ctx, func() (bool, error) { // pods are refused before
		_, err := kube.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, err
	})
}

// until polls. The last error is only told when the time is over.
func until(ctx context.Context, done func() (bool, error)) error {
	every := time.NewTicker(300 * time.Millisecond)
	defer every.Stop()
	for {
		ok, err := done()
		if ok {
			return nil
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// await fails the test unless something holds within two minutes. said is what is seen
// meanwhile.
func await(t *testing.T, what string, done func() (ok bool, said string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := until(ctx, func() (bool, error) {
		ok, said := done()
		return ok, fmt.Errorf("%s", said)
	}); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// containers are nodes that are containers of the engine that docker reaches.
type containers struct {
	kube kubernetes.Interface
}

func (c *containers) each(ctx context.Context, do func(name string) error) error {
	nodes, err := c.kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range nodes.Items {
		if err := do(nodes.Items[i].Name); err != nil {
			return fmt.Errorf("node %s: %w", nodes.Items[i].Name, err)
		}
	}
	return nil
}

func run(ctx context.Context, input io.Reader, args ...string) error {
	cmd := exec.CommandContext(ctx, "docker", append([]string{"exec", "-i"}, args...)...)
	cmd.Stdin = input
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("docker exec %s: %w: %s", strings.Join(args, " "), err, said)
	}
	return nil
}

func (c *containers) Load(ctx context.Context, images map[string]v1.Image) error {
	dir, err := os.MkdirTemp("", "credence-images-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "images.tar")
	if err := image.Write(path, images); err != nil {
		return err
	}
	return c.each(ctx, func(node string) error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		return run(ctx, file, node, "ctr", "-n", "k8s.io", "images", "import", "--all-platforms", "-")
	})
}

func (c *containers) TrustRegistry(ctx context.Context, host, endpoint string) error {
	text := fmt.Sprintf("server = %q\n[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", endpoint, endpoint)
	return c.each(ctx, func(node string) error {
		return run(ctx, strings.NewReader(text), node, "sh", "-c", `mkdir -p "$1" && cat > "$1/hosts.toml"`, "sh", "/etc/containerd/certs.d/"+host)
	})
}

// secret makes a Secret for the test.
func (w *world) secret(t *testing.T, name string, kind corev1.SecretType, data map[string][]byte) {
	t.Helper()
	made := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Type: kind, Data: data}
	if _, err := w.kube.CoreV1().Secrets(namespace).Create(t.Context(), made, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// pod makes a pod as the restricted standard wants it.
func (w *world) pod(t *testing.T, name string, spec corev1.PodSpec) {
	t.Helper()
	spec.SecurityContext = &corev1.PodSecurityContext{
		RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	spec.TerminationGracePeriodSeconds = new(int64(1))
	for i := range spec.Containers {
		spec.Containers[i].SecurityContext = &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}
	}
	made := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
	if _, err := w.kube.CoreV1().Pods(namespace).Create(t.Context(), made, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// seen is what the probe of a pod has said.
func (w *world) seen(t *testing.T, name string) (report.Seen, error) {
	t.Helper()
	log, err := w.kube.CoreV1().Pods(namespace).GetLogs(name, &corev1.PodLogOptions{Container: "main"}).Stream(t.Context())
	if err != nil {
		return report.Seen{}, err
	}
	defer log.Close()
	return report.Read(log)
}

// awaitSeen waits until the probe of a pod has seen something.
func (w *world) awaitSeen(t *testing.T, name string, wanted func(report.Seen) bool) {
	t.Helper()
	await(t, "the probe of "+name, func() (bool, string) {
		seen, err := w.seen(t, name)
		if err != nil {
			return false, err.Error() + ": " + w.state(t, name)
		}
		said, err := json.Marshal(seen.Lines)
		if err != nil {
			t.Fatal(err)
		}
		return wanted(seen), string(said) + ": " + w.state(t, name)
	})
}

// state is what is said of a pod's containers.
func (w *world) state(t *testing.T, name string) string {
	t.Helper()
	pod, err := w.kube.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return err.Error()
	}
	text := string(pod.Status.Phase)
	for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		if waiting := status.State.Waiting; waiting != nil {
			text += fmt.Sprintf(", %s: %s %s", status.Name, waiting.Reason, waiting.Message)
		}
		if ended := status.State.Terminated; ended != nil && ended.ExitCode != 0 {
			text += fmt.Sprintf(", %s: %s %s", status.Name, ended.Reason, ended.Message)
		}
	}
	return text
}
