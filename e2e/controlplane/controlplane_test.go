// SPDX-License-Identifier: Apache-2.0

package controlplane_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/credence-dev/credence/e2e/controlplane"
)

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  resources: [{group: apps, resources: [deployments]}]
- level: None
`

// TestControlPlane tells the whole life of one control plane.
func TestControlPlane(t *testing.T) {
	scratch := t.TempDir()
	audit := &controlplane.Audit{Policy: filepath.Join(scratch, "policy.yaml"), Log: filepath.Join(scratch, "audit.log")}
	if err := os.WriteFile(audit.Policy, []byte(auditPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	c := start(t, controlplane.Options{
		ControllerManager: true,
		Scheduler:         true,
		Audit:             audit,
		APIServerArgs:     []string{"--request-timeout=5s"},
	})
	processes := c.Processes()
	if len(processes) != 4 {
		t.Fatalf("%d processes run, want 4: %v", len(processes), processes)
	}

	t.Run("a Deployment gets a ReplicaSet and a Pod", func(t *testing.T) { deploymentGetsPods(t, c) })
	t.Run("the scheduler looks at the Pod", func(t *testing.T) { podIsLookedAt(t, c) })
	t.Run("a user has the rights RBAC gives", func(t *testing.T) { userHasNoRights(t, c) })
	t.Run("nobody is anonymous", func(t *testing.T) { anonymousIsRefused(t, c) })
	t.Run("a kubeconfig leads there", func(t *testing.T) { kubeconfigWorks(t, c) })
	t.Run("the API server restarts alone", func(t *testing.T) { apiServerRestarts(t, c) })
	t.Run("requests are audited", func(t *testing.T) {
		log, err := os.ReadFile(audit.Log)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(log, []byte(`"verb":"create"`)) || bytes.Contains(log, []byte(`"resource":"pods"`)) {
			t.Errorf("want the creation of the Deployment and no pods in the audit log:\n%s", log)
		}
	})

	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if left := c.Processes(); len(left) != 0 {
		t.Errorf("processes are left: %v", left)
	}
	for _, p := range processes {
		if alive(t, p.PID) {
			t.Errorf("%s (%d) is alive after Stop", p.Name, p.PID)
		}
	}
	if _, err := os.Stat(c.Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the temporary folder is left: %v", err)
	}
}

func deploymentGetsPods(t *testing.T, c *controlplane.ControlPlane) {
	client := clientset(t, c.Config())
	labels := map[string]string{"app": "web"}
	_, err := client.AppsV1().Deployments("default").Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "registry.example/web"}}},
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a ReplicaSet appears", func(ctx context.Context) (bool, error) {
		list, err := client.AppsV1().ReplicaSets("default").List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
		return err == nil && len(list.Items) == 1, err
	})
	eventually(t, "a Pod appears", func(ctx context.Context) (bool, error) {
		list, err := client.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
		return err == nil && len(list.Items) == 1, err
	})
}

func podIsLookedAt(t *testing.T, c *controlplane.ControlPlane) {
	client := clientset(t, c.Config())
	eventually(t, "the scheduler says that there is no node", func(ctx context.Context) (bool, error) {
		list, err := client.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
		if err != nil || len(list.Items) == 0 {
			return false, err
		}
		for _, condition := range list.Items[0].Status.Conditions {
			if condition.Type == corev1.PodScheduled && condition.Reason == corev1.PodReasonUnschedulable {
				return true, nil
			}
		}
		return false, nil
	})
}

func userHasNoRights(t *testing.T, c *controlplane.ControlPlane) {
	config, err := c.ConfigFor("ada", "team-a")
	if err != nil {
		t.Fatal(err)
	}
	_, err = clientset(t, config).CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `User "ada"`) {
		t.Errorf("listing secrets: %v, want that ada may not", err)
	}
	if _, err := c.ConfigFor(""); err == nil {
		t.Error("a user without a name got a certificate")
	}
}

func anonymousIsRefused(t *testing.T, c *controlplane.ControlPlane) {
	_, err := clientset(t, rest.AnonymousClientConfig(c.Config())).Discovery().ServerVersion()
	if !apierrors.IsUnauthorized(err) {
		t.Errorf("an anonymous request: %v, want unauthorized", err)
	}
}

func kubeconfigWorks(t *testing.T, c *controlplane.ControlPlane) {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := c.WriteKubeconfig(path); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	version, err := clientset(t, config).Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if version.Major != "1" || strings.Contains(version.GitVersion, "master") {
		t.Errorf("the server calls itself %s, %s.%s", version.GitVersion, version.Major, version.Minor)
	}
}

func apiServerRestarts(t *testing.T, c *controlplane.ControlPlane) {
	client := clientset(t, c.Config())
	if err := c.StartAPIServer(t.Context()); err == nil {
		t.Error("a second API server was started")
	}
	c.StopAPIServer()
	if n := len(c.Processes()); n != 3 {
		t.Errorf("%d processes run without the API server, want 3", n)
	}
	if _, err := client.Discovery().ServerVersion(); err == nil {
		t.Error("somebody answers while the API server is stopped")
	}
	if err := c.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.AppsV1().Deployments("default").Get(t.Context(), "web", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	eventually(t, "the controller manager works again", func(ctx context.Context) (bool, error) {
		err := client.AppsV1().Deployments("default").Delete(ctx, "web", metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return false, err
		}
		list, err := client.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
		return err == nil && len(list.Items) == 0, err
	})
}

func TestDataAreKeptOnlyWhenAskedFor(t *testing.T) {
	dir := t.TempDir()
	first := start(t, controlplane.Options{Dir: dir})
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}
	if _, err := clientset(t, first.Config()).CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := controlplane.Start(t.Context(), controlplane.Options{Programs: programs, Dir: dir}); err == nil {
		t.Error("a second control plane runs in the same folder")
	}
	port := portOf(t, first.Config())
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}

	second := start(t, controlplane.Options{Dir: dir, Keep: true, Port: port})
	// The earlier configuration still holds: same port, same authority.
	if _, err := clientset(t, first.Config()).CoreV1().Namespaces().Get(t.Context(), "kept", metav1.GetOptions{}); err != nil {
		t.Errorf("keeping the data: %v", err)
	}
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}

	third := start(t, controlplane.Options{Dir: dir})
	_, err := clientset(t, third.Config()).CoreV1().Namespaces().Get(t.Context(), "kept", metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("not keeping the data: %v, want not found", err)
	}
}

func TestStartFailsCleanly(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cases := map[string]struct {
		options controlplane.Options
		want    string
	}{
		"unknown argument":    {controlplane.Options{Programs: programs, APIServerArgs: []string{"--no-such-flag"}}, "unknown flag: --no-such-flag"},
		"program not there":   {controlplane.Options{}, "starting etcd"},
		"port in use already": {controlplane.Options{Programs: programs, Port: taken.Addr().(*net.TCPAddr).Port}, "address already in use"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c, err := controlplane.Start(t.Context(), test.options)
			if err == nil {
				t.Fatal("it started", c.Stop())
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error does not say %q: %v", test.want, err)
			}
		})
	}
}

func portOf(t *testing.T, config *rest.Config) int {
	t.Helper()
	address, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(address.Port())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
