// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/credence-dev/credence/e2e/controlplane"
)

// startWithin bounds the start of a cluster for tests: the programs may have to be
// compiled.
const startWithin = 30 * time.Minute

// Suite is the main function of a package's tests, which share a cluster.
type Suite struct {
	// Options changes what is run. It may leave files in the folder, which is removed in
	// the end.
	Options func(dir string, options *Options) error
	// Started gets the cluster before the tests begin. Without it none is started.
	Started func(ctx context.Context, cluster *Cluster) error
}

// Main runs tests, such as a *testing.M, and returns the exit status.
func (s Suite) Main(tests interface{ Run() int }) int {
	return Main(func(ctx context.Context) (int, error) { return s.run(ctx, tests) })
}

// Main does what TestMain has to do, and returns the exit status. The context is for
// the start. An error is written down and is a failure.
func Main(do func(context.Context) (code int, err error)) int {
	log.SetLogger(logr.Discard()) // without any, controller-runtime complains among the results
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	code, err := do(ctx)
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

func (s Suite) run(ctx context.Context, tests interface{ Run() int }) (code int, err error) {
	dir, err := os.MkdirTemp("", "credence-test-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	options, err := ForTests(ctx, dir)
	if err != nil {
		return 1, err
	}
	if s.Options != nil {
		if err := s.Options(dir, &options); err != nil {
			return 1, err
		}
	}
	if s.Started == nil {
		return tests.Run(), nil
	}
	cluster, err := Start(ctx, options)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, cluster.Stop()) }()
	if err := s.Started(ctx, cluster); err != nil {
		return 1, err
	}
	return tests.Run(), nil
}

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
