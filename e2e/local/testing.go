// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/credence-dev/credence/e2e/controlplane"
)

// ForTests makes options for the tests of a package in this module: the control
// plane's programs where make puts them, and the program compiled from what is
// checked out, into a folder that the caller removes.
func ForTests(ctx context.Context, dir string) (Options, error) {
	root, err := repository()
	if err != nil {
		return Options{}, err
	}
	programs, err := controlplane.Ensure(ctx, filepath.Join(root, "bin", "controlplane"), os.Stderr)
	if err != nil {
		return Options{}, err
	}
	program := filepath.Join(dir, "credence")
	// Without symbols, as in the image: they count where memory is measured.
	build := exec.CommandContext(ctx, "go", "build", "-C", root, "-ldflags=-s -w", "-o", program, "./cmd/credence")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return Options{}, fmt.Errorf("compiling credence: %w", err)
	}
	return Options{
		Plane:   controlplane.Options{Programs: programs, Dir: filepath.Join(dir, "plane"), ControllerManager: true},
		Program: program,
	}, nil
}

// repository is the folder above this module's.
func repository() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("finding the module: %w", err)
	}
	return filepath.Dir(filepath.Dir(string(out))), nil
}
