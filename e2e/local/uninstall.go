// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/e2e/chart"
	"github.com/credence-dev/credence/e2e/controlplane"
)

// Uninstall does what `helm uninstall` does: the hook, and if that succeeds it removes
// what the chart made, but for what that keeps. It returns what the hook said. Upgrade
// installs it again.
func (c *Cluster) Uninstall(ctx context.Context) (said string, err error) {
	manifests, err := c.render(nil)
	if err != nil {
		return "", err
	}
	if said, err = c.RunHook(ctx); err != nil {
		return said, err
	}
	remove := slices.Concat(manifests.Objects, manifests.Hooks)
	slices.Reverse(remove)
	for _, object := range remove {
		if object.GetAnnotations()["helm.sh/resource-policy"] == "keep" || object.GetKind() == "Job" {
			continue
		}
		err := c.client.Delete(ctx, object, client.PropagationPolicy("Background"))
		if client.IgnoreNotFound(err) != nil {
			return said, fmt.Errorf("deleting %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return said, nil
}

// RunHook makes what the hook of the uninstallation needs, and runs the program as its
// Job would: with its arguments and as its service account, but on this machine. It
// returns what the program said.
func (c *Cluster) RunHook(ctx context.Context) (said string, err error) {
	manifests, err := c.render(nil)
	if err != nil {
		return "", err
	}
	isJob := func(object *unstructured.Unstructured) bool { return object.GetKind() == "Job" }
	if err := chart.Apply(ctx, c.client, InstallNamespace, slices.DeleteFunc(slices.Clone(manifests.Hooks), isJob)); err != nil {
		return "", err
	}
	at := slices.IndexFunc(manifests.Hooks, isJob)
	if at < 0 {
		return "", errors.New("the chart has no Job among its hooks")
	}
	job := &batchv1.Job{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(manifests.Hooks[at].Object, job, true); err != nil {
		return "", err
	}
	if err := c.client.Create(ctx, job.DeepCopy(), client.DryRunAll); err != nil && !apierrors.IsAlreadyExists(err) {
		return "", fmt.Errorf("the Job would not be taken: %w", err)
	}
	pod := job.Spec.Template.Spec
	kubeconfig := filepath.Join(c.plane.Dir(), pod.ServiceAccountName+".kubeconfig")
	if err := controlplane.WriteKubeconfig(kubeconfig, c.ServiceAccount(pod.ServiceAccountName)); err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, c.options.Program, pod.Containers[0].Args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	out, err := command.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("the hook failed: %w\n%s", err, out)
	}
	return string(out), nil
}

// StandIns makes the Deployments that the chart has where its processes run in the
// cluster. Their pods never run, because nothing here runs pods.
func (c *Cluster) StandIns(ctx context.Context) error {
	manifests, err := c.render(map[string]any{"webhook": map[string]any{"url": ""}, "controller": map[string]any{"url": ""}})
	if err != nil {
		return err
	}
	return chart.Apply(ctx, c.client, InstallNamespace, slices.DeleteFunc(manifests.Objects, func(object *unstructured.Unstructured) bool {
		return object.GetKind() != "Deployment"
	}))
}
