// SPDX-License-Identifier: Apache-2.0

// Package rights tests who may do what with credentials and with the labels of
// namespaces. The chart's definitions, policies and roles are in a real API server;
// its webhooks are not, and no process of Credence runs: the rights hold without.
package rights

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/charts"
	"github.com/credence-dev/credence/e2e/chart"
	"github.com/credence-dev/credence/e2e/controlplane"
	"github.com/credence-dev/credence/e2e/local"
)

const (
	systemNamespace = "credence-credentials"

	// Deadlines. They bound what hangs; nothing waits for them.
	within    = time.Minute
	pollEvery = 50 * time.Millisecond
)

// plane is shared by the tests, admin is its administrator.
var (
	plane *controlplane.ControlPlane
	admin client.Client
)

func TestMain(m *testing.M) {
	os.Exit(local.Main(func(ctx context.Context) (int, error) { return run(ctx, m) }))
}

func run(ctx context.Context, m *testing.M) (code int, err error) {
	programs, err := controlplane.Ensure(ctx, "../../bin/controlplane", os.Stderr)
	if err != nil {
		return 1, err
	}
	// The controller manager deletes namespaces, collects garbage, aggregates roles
	// and checks the types in policies.
	if plane, err = controlplane.Start(ctx, controlplane.Options{Programs: programs, ControllerManager: true}); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	if admin, err = client.New(quiet(plane.Config()), client.Options{Scheme: local.Scheme()}); err != nil {
		return 1, err
	}
	if err := install(ctx, nil); err != nil {
		return 1, err
	}
	if err := giveRights(ctx); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// quiet leaves out what the API server warns about.
func quiet(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.WarningHandler = rest.NoWarnings{}
	return config
}

// install applies what is tested of the chart.
func install(ctx context.Context, values map[string]any) error {
	files, err := fs.Sub(charts.FS, "credence")
	if err != nil {
		return err
	}
	manifests, err := chart.Render(files, chart.Release{
		Name: "credence", Namespace: local.InstallNamespace, KubeVersion: local.KubeVersion, Values: values,
	})
	if err != nil {
		return err
	}
	kinds := []string{
		"Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding",
		"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
	}
	objects := slices.DeleteFunc(manifests.Objects, func(o *unstructured.Unstructured) bool { return !slices.Contains(kinds, o.GetKind()) })
	return chart.Apply(ctx, admin, local.InstallNamespace, objects)
}

// eventually polls until attempt gives no error.
func eventually(ctx context.Context, what string, attempt func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, pollEvery, within, true, func(ctx context.Context) (bool, error) {
		last = attempt(ctx)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting until %s: %w", what, last)
	}
	return nil
}
