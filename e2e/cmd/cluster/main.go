// SPDX-License-Identifier: Apache-2.0

// Command cluster runs a Kubernetes cluster on this machine, and installs Credence
// into it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/credence-dev/credence/e2e/cluster"
	"github.com/credence-dev/credence/e2e/install"
)

func main() {
	var o cluster.Options
	flag.StringVar(&o.Dir, "dir", ".cluster", "the folder of the kubeconfig and of the container engine, if one is started")
	flag.StringVar(&o.Cache, "cache", "", "the folder of what can be used again (default: below the user's folder for caches)")
	flag.StringVar(&o.NodeImage, "node-image", "", "a published node image of kind's (default: one is built)")
	flag.StringVar(&o.Name, "name", cluster.DefaultName, "the name of the cluster")
	flag.IntVar(&o.Workers, "workers", 1, "the number of nodes besides the control plane")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: cluster [flags] up | install [arguments of helm] | down")
		flag.PrintDefaults()
	}
	flag.Parse()
	log.SetLogger(logr.Discard()) // without any, controller-runtime complains
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o cluster.Options, args []string) error {
	o.Progress = os.Stderr
	if len(args) == 0 {
		return errors.New("say up, install or down")
	}
	switch args[0] {
	case "install":
		return installInto(ctx, o, args[1:])
	case "up":
		c, err := cluster.Up(ctx, o)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(os.Stdout, c.Kubeconfig())
		return err
	case "down":
		return cluster.Down(ctx, o)
	}
	return fmt.Errorf("%q is none of up, install and down", args[0])
}

// installInto installs Credence into the cluster that $KUBECONFIG names, one of kind's:
// the image is given to its nodes.
func installInto(ctx context.Context, o cluster.Options, args []string) error {
	kubeconfig := os.Getenv("KUBECONFIG")
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig that $KUBECONFIG names: %w", err)
	}
	name, isKind := strings.CutPrefix(config.CurrentContext, "kind-")
	if !isKind {
		return fmt.Errorf("the context %q is not one of kind's, whose nodes can be given an image: push one, and run helm with image.repository", config.CurrentContext)
	}
	o.Name = name
	c, err := cluster.Open(o)
	if err != nil {
		return err
	}
	checkout, err := install.Open(ctx)
	if err != nil {
		return err
	}
	tag, made, err := checkout.Image(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Progress, "giving the nodes the image %s\n", tag)
	if err := c.Load(ctx, map[string]v1.Image{tag: made}); err != nil {
		return err
	}
	return checkout.Install(ctx, kubeconfig, os.Stdout, append(install.ImageValues(tag), args...)...)
}
