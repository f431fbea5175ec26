// SPDX-License-Identifier: Apache-2.0

// Command demo shows Credence at work on this machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/credence-dev/credence/e2e/controlplane"
	"github.com/credence-dev/credence/e2e/demo"
	"github.com/credence-dev/credence/e2e/local"
)

// settings are what the flags say.
type settings struct {
	provider  string
	programs  string
	program   string
	dir       string
	cluster   string
	nodeImage string
	oneshot   bool
}

func main() {
	var s settings
	flag.StringVar(&s.provider, "provider", "plane", "plane: a control plane, in which nothing runs pods; kind: a cluster with nodes")
	flag.StringVar(&s.programs, "programs", "", "the folder for the programs of the control plane")
	flag.StringVar(&s.program, "credence", "", "the path of the program credence, for the control plane")
	flag.StringVar(&s.dir, "dir", "", "the folder for the control plane's kubeconfig, logs and data; it is emptied first")
	flag.StringVar(&s.cluster, "cluster-dir", "", "the folder for the state of a cluster with nodes")
	flag.StringVar(&s.nodeImage, "node-image", "", "a published node image of kind's (default: one is built)")
	flag.BoolVar(&s.oneshot, "oneshot", false, "end after the demo; the exit status says whether all was as expected")
	flag.Parse()
	log.SetLogger(logr.Discard()) // without any, controller-runtime complains in the middle of the demo
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) (err error) {
	d, err := start(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Stop()) }()
	if err := d.Run(ctx); err != nil || s.oneshot {
		return err
	}
	_, _ = fmt.Fprintf(os.Stdout, "\nTry more:\n    export KUBECONFIG=%s\n    kubectl get credentials -A\n    kubectl -n team-a get pods -o yaml\nCtrl-C ends it.\n", d.Kubeconfig())
	<-ctx.Done()
	return nil
}

func start(ctx context.Context, s settings) (*demo.Demo, error) {
	switch s.provider {
	case "plane":
		programs, err := controlplane.Ensure(ctx, s.programs, os.Stderr)
		if err != nil {
			return nil, err
		}
		if err := os.RemoveAll(s.dir); err != nil {
			return nil, err
		}
		return demo.Start("a Kubernetes control plane", os.Stdout, func() (demo.Cluster, error) {
			return local.Start(ctx, local.Options{
				Plane:   controlplane.Options{Programs: programs, Dir: s.dir, ControllerManager: true},
				Program: s.program,
				Values:  map[string]any{"clusterName": "demo"},
			})
		})
	case "kind":
		return demo.Start("a Kubernetes cluster", os.Stdout, func() (demo.Cluster, error) {
			return startNodes(ctx, s)
		})
	}
	return nil, fmt.Errorf("there is no provider %q: it is plane or kind", s.provider)
}
