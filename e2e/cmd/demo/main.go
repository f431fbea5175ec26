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

func main() {
	var (
		programs = flag.String("programs", "", "the folder for the programs of the control plane")
		program  = flag.String("credence", "", "the path of the program credence")
		dir      = flag.String("dir", "", "the folder for the kubeconfig, logs and data; it is emptied first")
		oneshot  = flag.Bool("oneshot", false, "end after the demo; the exit status says whether all was as expected")
	)
	flag.Parse()
	log.SetLogger(logr.Discard()) // without any, controller-runtime complains in the middle of the demo
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *programs, *program, *dir, *oneshot); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, programDir, program, dir string, oneshot bool) (err error) {
	programs, err := controlplane.Ensure(ctx, programDir, os.Stderr)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	d, err := demo.Start(ctx, local.Options{
		Plane:   controlplane.Options{Programs: programs, Dir: dir, ControllerManager: true},
		Program: program,
		Values:  map[string]any{"clusterName": "demo"},
	}, os.Stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Stop()) }()
	if err := d.Run(ctx); err != nil || oneshot {
		return err
	}
	_, _ = fmt.Fprintf(os.Stdout, "\nTry more:\n    export KUBECONFIG=%s\n    kubectl get credentials -A\n    kubectl -n team-a get pods -o yaml\nCtrl-C ends it.\n", d.Kubeconfig())
	<-ctx.Done()
	return nil
}
