// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/charts"
	"github.com/credence-dev/credence/e2e/chart"
	"github.com/credence-dev/credence/e2e/controlplane"
	"github.com/credence-dev/credence/manifest"
)

//go:embed objects/*.yaml
var objects embed.FS

// InstallNamespace is where the chart is installed.
const InstallNamespace = "credence"

// fieldManager is that of a person with kubectl.
const fieldManager = "demo"

// Options say how the demo runs.
type Options struct {
	// Programs are those of the control plane.
	Programs controlplane.Programs
	// Credence is the path of the program.
	Credence string
	// Dir gets the kubeconfig, logs and data. What is there is removed.
	Dir string
	// Out is for people.
	Out io.Writer
}

// Demo is a running control plane with Credence.
type Demo struct {
	options  Options
	plane    *controlplane.ControlPlane
	credence *credence
	client   client.WithWatch
}

// Start starts the control plane, installs the chart and starts Credence. It
// returns when pods are being injected into.
func Start(ctx context.Context, options Options) (_ *Demo, err error) {
	d := &Demo{options: options}
	defer func() {
		if err != nil {
			d.Stop()
		}
	}()
	began := time.Now()
	d.say("Starting a Kubernetes control plane …")
	d.plane, err = controlplane.Start(ctx, controlplane.Options{
		Programs: options.Programs, Dir: options.Dir, ControllerManager: true,
	})
	if err != nil {
		return nil, err
	}
	if err := d.plane.WriteKubeconfig(d.Kubeconfig()); err != nil {
		return nil, err
	}
	if d.client, err = client.NewWithWatch(d.plane.Config(), client.Options{Scheme: scheme()}); err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	d.say("Installing the chart and starting Credence …")
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	if err := d.install(ctx, ports[0]); err != nil {
		return nil, err
	}
	if d.credence, err = startCredence(options, d.Kubeconfig(), ports); err != nil {
		return nil, err
	}
	if err := d.waitUntilServing(ctx); err != nil {
		return nil, err
	}
	d.say("Ready after %d s.\n", int(time.Since(began).Seconds()))
	return d, nil
}

// Kubeconfig is the path of the administrator's kubeconfig.
func (d *Demo) Kubeconfig() string { return filepath.Join(d.options.Dir, "kubeconfig") }

// Client is the administrator's.
func (d *Demo) Client() client.WithWatch { return d.client }

// Stop ends what was started.
func (d *Demo) Stop() {
	if d.credence != nil {
		d.credence.stop()
	}
	if d.plane != nil {
		if err := d.plane.Stop(); err != nil {
			d.say("stopping the control plane: %v", err)
		}
	}
}

func (d *Demo) say(format string, args ...any) {
	_, _ = fmt.Fprintf(d.options.Out, format+"\n", args...)
}

// install applies the chart for a webhook that runs on this machine.
func (d *Demo) install(ctx context.Context, webhookPort int) error {
	files, err := fs.Sub(charts.FS, "credence")
	if err != nil {
		return err
	}
	manifests, err := chart.Render(files, chart.Release{
		Name: "credence", Namespace: InstallNamespace, KubeVersion: "v1.37.2",
		Values: map[string]any{
			"clusterName": "demo",
			"webhook":     map[string]any{"url": fmt.Sprintf("https://localhost:%d", webhookPort)},
			"controller":  map[string]any{"replicas": 0},
		},
	})
	if err != nil {
		return err
	}
	return chart.Apply(ctx, d.client, InstallNamespace, manifests.Objects)
}

// waitUntilServing waits until Credence is ready and the API server trusts it.
func (d *Demo) waitUntilServing(ctx context.Context) error {
	return poll(ctx, "Credence to serve", func(ctx context.Context) (bool, error) {
		if err := d.credence.running(); err != nil {
			return false, err
		}
		if !d.credence.ready(ctx) {
			return false, nil
		}
		return d.bundlePublished(ctx)
	})
}

// apply creates the objects of a file, as kubectl apply would. It stops at the
// first that is refused.
func (d *Demo) apply(ctx context.Context, file string) error {
	list, err := read(file)
	if err != nil {
		return err
	}
	for _, object := range list {
		err := d.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(fieldManager))
		if err != nil {
			return fmt.Errorf("applying %s %s/%s: %w", object.GetKind(), object.GetNamespace(), object.GetName(), err)
		}
	}
	return nil
}

func read(file string) ([]*unstructured.Unstructured, error) {
	text, err := objects.ReadFile("objects/" + file)
	if err != nil {
		return nil, err
	}
	documents, err := manifest.Read(file, text)
	if err != nil {
		return nil, err
	}
	list := make([]*unstructured.Unstructured, 0, len(documents))
	for _, document := range documents {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(document.JSON); err != nil {
			return nil, fmt.Errorf("%s: %w", &document, err)
		}
		list = append(list, object)
	}
	return list, nil
}

// waitUntilSpread waits until every credential is Ready.
func (d *Demo) waitUntilSpread(ctx context.Context) error {
	return poll(ctx, "the credentials to be spread", func(ctx context.Context) (bool, error) {
		credentials := &v1alpha1.CredentialList{}
		if err := d.client.List(ctx, credentials); err != nil {
			return false, err
		}
		for _, c := range credentials.Items {
			if c.Status.State != v1alpha1.StateNoIssuesFound {
				return false, nil
			}
		}
		return len(credentials.Items) > 0, nil
	})
}

func scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // the types are compiled in
		}
	}
	metav1.AddMetaToScheme(scheme)
	return scheme
}
