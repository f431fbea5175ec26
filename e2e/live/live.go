// SPDX-License-Identifier: Apache-2.0

// Package live is for tests against a real cluster with Credence installed in it: nodes
// that pull images and run containers.
package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/e2e/cluster"
	"github.com/credence-dev/credence/e2e/install"
	"github.com/credence-dev/credence/e2e/local"
)

// Variable is the environment variable that names the folder of the cluster that
// make cluster-up made, and NameVariable the one for its name, unless it is the default.
const (
	Variable     = "CREDENCE_CLUSTER"
	NameVariable = "CREDENCE_CLUSTER_NAME"
)

// startWithin bounds the installation.
const startWithin = 15 * time.Minute

// World is a cluster with Credence.
type World struct {
	Cluster  *cluster.Cluster
	Checkout *install.Checkout
	Config   *rest.Config
	// Client is the administrator's.
	Client client.WithWatch
	// Clientset is the same, for logs and what else Client cannot do.
	Clientset kubernetes.Interface
	// Image is the name of Credence's image, which the nodes have.
	Image string
}

// Suite is the main function of a package's tests, which share a cluster.
type Suite struct {
	// Prepare does what has to be there before Credence is installed, and returns further
	// arguments of helm. Optional.
	Prepare func(ctx context.Context, world *World) ([]string, error)
	// Started gets the cluster, with Credence, before the tests begin.
	Started func(ctx context.Context, world *World) error
}

// Main runs tests, such as a *testing.M, and returns the exit status. Without a cluster
// it says so, and runs none.
func (s Suite) Main(tests interface{ Run() int }) int {
	dir := os.Getenv(Variable)
	if dir == "" {
		_, _ = fmt.Fprintf(os.Stderr, "LEFT OUT: tests on a real cluster. make e2e runs them, as root on Linux; or make cluster-up, and set $%s to its folder\n", Variable)
		return 0
	}
	return local.Main(func(ctx context.Context) (int, error) {
		ctx, cancel := context.WithTimeout(ctx, startWithin)
		defer cancel()
		world, err := Open(ctx, cluster.Options{Dir: dir, Name: os.Getenv(NameVariable)})
		if err != nil {
			return 1, err
		}
		if err := s.start(ctx, world); err != nil {
			return 1, err
		}
		return tests.Run(), nil
	})
}

func (s Suite) start(ctx context.Context, world *World) error {
	var args []string
	if s.Prepare != nil {
		var err error
		if args, err = s.Prepare(ctx, world); err != nil {
			return err
		}
	}
	if err := world.Install(ctx, args...); err != nil {
		return err
	}
	return s.Started(ctx, world)
}

// Open returns a running cluster whose nodes have the image of Credence.
func Open(ctx context.Context, o cluster.Options) (*World, error) {
	c, err := cluster.Open(o)
	if err != nil {
		return nil, err
	}
	w := &World{Cluster: c}
	if w.Config, err = c.Config(); err != nil {
		return nil, err
	}
	kube, err := client.NewWithWatch(w.Config, client.Options{Scheme: local.Scheme()})
	if err != nil {
		return nil, err
	}
	w.Client = kube
	if w.Clientset, err = kubernetes.NewForConfig(w.Config); err != nil {
		return nil, err
	}
	if w.Checkout, err = install.Open(ctx); err != nil {
		return nil, err
	}
	name, image, err := w.Checkout.Image(ctx)
	if err != nil {
		return nil, err
	}
	w.Image = name
	return w, c.Load(ctx, map[string]v1.Image{name: image})
}

// drain is short, for the API server's timeout of requests is not what is tested.
const drain = "2s"

// Install installs Credence, or upgrades it, and waits until it runs. args are further
// arguments of helm.
func (w *World) Install(ctx context.Context, args ...string) error {
	all := append(install.ImageValues(w.Image), "--set=controller.drain="+drain, "--set=clusterName=e2e")
	if err := w.Checkout.Install(ctx, w.Cluster.Kubeconfig(), io.Discard, append(all, args...)...); err != nil {
		return errors.Join(err, w.tellState(ctx))
	}
	return local.Poll(ctx, "Credentials to be admitted", func(ctx context.Context) (bool, error) {
		return local.AdmitsCredentials(ctx, w.Client), nil
	})
}

// Uninstall uninstalls Credence.
func (w *World) Uninstall(ctx context.Context, args ...string) error {
	return w.Checkout.Uninstall(ctx, w.Cluster.Kubeconfig(), io.Discard, args...)
}
