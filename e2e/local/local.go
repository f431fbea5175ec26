// SPDX-License-Identifier: Apache-2.0

// Package local runs Credence on this machine: a control plane, the chart, and the
// program with the rights of its service accounts. The demo and the tests that need
// all of it stand on this.
package local

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/charts"
	"github.com/credence-dev/credence/e2e/chart"
	"github.com/credence-dev/credence/e2e/controlplane"
)

// InstallNamespace is where the chart is installed, KubeVersion the version that it
// is rendered for.
const (
	InstallNamespace = "credence"
	KubeVersion      = "v1.37.2"
)

// Options say what to run.
type Options struct {
	// Plane are the options of the control plane. Its folder also gets the
	// kubeconfig and the program's log.
	Plane controlplane.Options
	// Program is the path of the program credence.
	Program string
	// Args are further arguments of the program.
	Args []string
	// Values go over those that fit a program outside the cluster, as in Helm: what they
	// leave out of a map stays.
	Values map[string]any
	// Objects are there before the chart is installed, such as definitions of kinds of
	// others that it makes objects of.
	Objects []*unstructured.Unstructured
	// Apart starts nothing of Credence: StartProcess does, one process at a time.
	Apart bool
}

// Cluster is a running control plane with Credence.
type Cluster struct {
	options  Options
	plane    *controlplane.ControlPlane
	ports    []int
	credence *credence
	apart    []*Process
	client   client.WithWatch
}

// Start starts the control plane, installs the chart and starts Credence. It
// returns when Credentials can be created and pods are being injected into.
func Start(ctx context.Context, options Options) (_ *Cluster, err error) {
	c := &Cluster{options: options}
	defer func() {
		if err != nil {
			_ = c.Stop() // the first error is the one to tell
		}
	}()
	if c.plane, err = controlplane.Start(ctx, options.Plane); err != nil {
		return nil, err
	}
	if err := c.plane.WriteKubeconfig(c.Kubeconfig()); err != nil {
		return nil, err
	}
	if c.client, err = client.NewWithWatch(c.plane.Config(), client.Options{Scheme: Scheme()}); err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	if c.ports, err = freePorts(4); err != nil {
		return nil, err
	}
	if err := chart.Apply(ctx, c.client, InstallNamespace, options.Objects); err != nil {
		return nil, err
	}
	if err := c.install(ctx); err != nil {
		return nil, err
	}
	if options.Apart {
		return c, nil
	}
	return c, c.StartCredence(ctx)
}

// StartCredence starts the program, at first and after StopCredence or
// KillCredence, and returns when Credentials can be created and pods are being
// injected into.
func (c *Cluster) StartCredence(ctx context.Context) (err error) {
	if c.credence, err = startCredence(c.options, c.plane.Dir(), c.Kubeconfig(), c.ports); err != nil {
		return err
	}
	return c.waitUntilServing(ctx)
}

// StopCredence ends the program in order.
func (c *Cluster) StopCredence() { c.credence.stop() }

// KillCredence ends the program at once, as a node that fails does.
func (c *Cluster) KillCredence() { c.credence.kill() }

// Plane is the control plane.
func (c *Cluster) Plane() *controlplane.ControlPlane { return c.plane }

// Client is the administrator's.
func (c *Cluster) Client() client.WithWatch { return c.client }

// Kubeconfig is the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.plane.Dir(), "kubeconfig") }

// Stop ends what was started.
func (c *Cluster) Stop() error {
	if c.credence != nil {
		c.credence.stop()
	}
	for _, process := range c.apart {
		process.Stop()
	}
	if c.plane != nil {
		return c.plane.Stop()
	}
	return nil
}

// Upgrade applies the chart again, with these values over those that it has.
func (c *Cluster) Upgrade(ctx context.Context, values map[string]any) error {
	all := map[string]any{}
	merge(all, c.options.Values)
	merge(all, values)
	c.options.Values = all
	return c.install(ctx)
}

// install applies the chart for a webhook and a controller that run on this machine.
func (c *Cluster) install(ctx context.Context) error {
	manifests, err := c.render(nil)
	if err != nil {
		return err
	}
	return chart.Apply(ctx, c.client, InstallNamespace, manifests.Objects)
}

// render renders the chart, with more values over those that it has.
func (c *Cluster) render(more map[string]any) (*chart.Manifests, error) {
	files, err := fs.Sub(charts.FS, "credence")
	if err != nil {
		return nil, err
	}
	values := map[string]any{
		"webhook":    map[string]any{"url": fmt.Sprintf("https://localhost:%d", c.ports[0])},
		"controller": map[string]any{"url": fmt.Sprintf("https://localhost:%d", c.ports[3])},
	}
	merge(values, c.options.Values)
	merge(values, more)
	return chart.Render(files, chart.Release{
		Name: "credence", Namespace: InstallNamespace, KubeVersion: KubeVersion, Values: values,
	})
}

// merge has the values of one map go over those of another, map by map. It leaves from
// as it is.
func merge(into, from map[string]any) {
	for name, value := range from {
		below, has := into[name].(map[string]any)
		if above, is := value.(map[string]any); has && is {
			merge(below, above)
			continue
		}
		into[name] = value
	}
}

// waitUntilServing waits until Credence is ready and the API server trusts it.
func (c *Cluster) waitUntilServing(ctx context.Context) error {
	return Poll(ctx, "Credence to serve", func(ctx context.Context) (bool, error) {
		if err := c.credence.running(); err != nil {
			return false, err
		}
		if !c.credence.ready(ctx) {
			return false, nil
		}
		published, err := c.bundlePublished(ctx)
		return published && err == nil && c.admitsCredentials(ctx), err
	})
}

// Scheme knows the built-in kinds and ours.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // the types are compiled in
		}
	}
	return scheme
}
