// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"embed"
	"fmt"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
	"github.com/credence-dev/credence/manifest"
)

//go:embed objects/*.yaml
var objects embed.FS

// fieldManager is that of a person with kubectl.
const fieldManager = "demo"

// Cluster is where the demo happens.
type Cluster interface {
	// Client is the administrator's.
	Client() client.WithWatch
	// Kubeconfig is the path of the administrator's kubeconfig.
	Kubeconfig() string
	// Stop ends what was started.
	Stop() error
}

// Demo is a running Kubernetes with Credence, and somebody to tell.
type Demo struct {
	Cluster
	out io.Writer
}

// Start starts a Kubernetes, which is called as title says, with Credence.
func Start(title string, out io.Writer, start func() (Cluster, error)) (*Demo, error) {
	d := &Demo{out: out}
	began := time.Now()
	d.say("Starting %s with Credence …", title)
	cluster, err := start()
	if err != nil {
		return nil, err
	}
	d.Cluster = cluster
	d.say("Ready after %d s.\n", int(time.Since(began).Seconds()))
	return d, nil
}

func (d *Demo) say(format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, format+"\n", args...)
}

// apply creates the objects of a file, as kubectl apply would. It stops at the
// first that is refused.
func (d *Demo) apply(ctx context.Context, file string) error {
	list, err := read(file)
	if err != nil {
		return err
	}
	for _, object := range list {
		err := d.Client().Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(fieldManager))
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
	return local.Poll(ctx, "the credentials to be spread", func(ctx context.Context) (bool, error) {
		credentials := &v1alpha1.CredentialList{}
		if err := d.Client().List(ctx, credentials); err != nil {
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
