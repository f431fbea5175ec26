// SPDX-License-Identifier: Apache-2.0

// Command programs makes sure that the programs of a control plane are there and
// prints the folder that holds them, for $KUBEBUILDER_ASSETS.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/credence-dev/credence/e2e/controlplane"
)

func main() {
	dir := flag.String("dir", "", "the folder for compiled programs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "programs:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string) error {
	if dir == "" {
		return errors.New("-dir is not given")
	}
	programs, err := controlplane.Ensure(ctx, dir, os.Stderr)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(os.Stdout, filepath.Dir(programs.APIServer))
	return err
}
