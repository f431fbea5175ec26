// SPDX-License-Identifier: Apache-2.0

// Package engine provides the container engine that kind runs nodes in: the one that
// this machine runs, or else Docker from Debian's packages, unpacked and not installed,
// in a network namespace of its own. What that one does to mounts, bridges and packet
// filters ends with it. The second needs a Debian and root.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/credence-dev/credence/e2e/debian"
)

const (
	startWithin = time.Minute
	stopWithin  = 30 * time.Second
)

// Engine is a running container engine.
type Engine struct {
	// Network is the address under which this machine reaches published ports, if the
	// engine has a network of its own.
	Network netip.Addr
}

// Start returns the engine that this machine runs, or starts one whose state is in the
// folder dir. It outlives this process. The environment of this process is changed so
// that the client docker finds it. What is fetched is kept below cache.
func Start(ctx context.Context, dir, cache string, progress io.Writer) (*Engine, error) {
	o := &own{dir: dir}
	if os.Getenv("DOCKER_HOST") != o.address() && answers(ctx) {
		fmt.Fprintln(progress, "taking the container engine of this machine")
		return &Engine{}, nil
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("no container engine answers to docker, and only root can start one")
	}
	if err := o.prepare(ctx, cache, progress); err != nil {
		return nil, err
	}
	if err := o.environment(); err != nil {
		return nil, err
	}
	if answers(ctx) {
		return &Engine{Network: inside}, nil
	}
	fmt.Fprintln(progress, "starting a container engine in a network of its own")
	if err := o.start(ctx); err != nil {
		return nil, err
	}
	return &Engine{Network: inside}, nil
}

// Stop ends the engine that Start started with this folder, if any, and removes its
// network. Its images stay in the folder.
func Stop(ctx context.Context, dir string) error {
	o := &own{dir: dir}
	if err := o.stop(ctx); err != nil {
		return err
	}
	return errors.Join(removeNetwork(ctx), o.restoreLimits(), o.removeTraces())
}

// Find makes the client docker of this process find the engine that Start started
// with this folder, if it did.
func Find(dir string) error {
	o := &own{dir: dir}
	found, err := os.Readlink(o.path("host"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	o.host = found
	return o.environment()
}

// own is the engine that is ours.
type own struct {
	dir  string // its state
	host string // the unpacked packages
}

func (o *own) address() string { return "unix://" + o.path("docker.sock") }

func (o *own) path(name string) string { return filepath.Join(o.dir, name) }

// prepare gets all that the engine needs.
func (o *own) prepare(ctx context.Context, cache string, progress io.Writer) (err error) {
	if err := debian.Install(ctx, progress, map[string]string{"iptables": "iptables", "ip": "iproute2"}); err != nil {
		return err
	}
	if o.host, err = debian.Unpack(ctx, cache, progress, "docker.io", "containerd", "runc", "libdevmapper1.02.1", "libseccomp2"); err != nil {
		return err
	}
	if err := os.MkdirAll(o.path("bin"), 0o755); err != nil {
		return err
	}
	wrapper := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", o.path("bin/runc"), "github.com/credence-dev/credence/e2e/cluster/engine/runc")
	wrapper.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := wrapper.CombinedOutput(); err != nil {
		return fmt.Errorf("compiling the engine's runc: %w\n%s", err, said)
	}
	return errors.Join(link(filepath.Join(o.host, "usr/sbin/runc"), o.path("bin/runc.real")), link(o.host, o.path("host")))
}

func link(to, at string) error {
	if err := os.RemoveAll(at); err != nil {
		return err
	}
	return os.Symlink(to, at)
}

// environment has this process and those it starts find the engine and its client.
func (o *own) environment() error {
	return errors.Join(
		os.Setenv("DOCKER_HOST", o.address()),
		os.Setenv("DOCKER_CONFIG", o.path("config")), // a person's logins are of no use to tests, and would make them pass
		os.Setenv("DOCKER_BUILDKIT", "0"),
		os.Setenv("PATH", strings.Join([]string{filepath.Join(o.host, "usr/bin"), filepath.Join(o.host, "usr/sbin"), os.Getenv("PATH"), "/usr/sbin:/sbin"}, ":")),
	)
}

func answers(ctx context.Context) bool {
	return exec.CommandContext(ctx, "docker", "version").Run() == nil
}

// start starts the engine, and waits until it answers.
func (o *own) start(ctx context.Context) error {
	if err := makeNetwork(ctx); err != nil {
		return err
	}
	if err := errors.Join(o.noteTraces(), o.raiseLimits()); err != nil {
		return err
	}
	log, err := os.Create(o.path("dockerd.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("nsenter", "--net="+namespaceFile, "unshare", "--mount", "--propagation=private",
		"dockerd", "--data-root="+o.path("data"), "--exec-root="+o.path("run"), "--pidfile="+o.path("dockerd.pid"),
		"--host="+o.address(), "--bridge=none",
		"--exec-opt=native.cgroupdriver=cgroupfs", "--storage-driver=overlay2", "--userland-proxy=false",
		"--add-runtime=ours="+o.path("bin/runc"), "--default-runtime=ours")
	libraries := filepath.Join(o.host, "lib/x86_64-linux-gnu") + ":" + filepath.Join(o.host, "usr/lib/x86_64-linux-gnu")
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+libraries)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C is not for it
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting dockerd: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for !answers(ctx) {
		select {
		case err := <-ended:
			return fmt.Errorf("dockerd ended, see %s: %w", log.Name(), err)
		case <-ctx.Done():
			return fmt.Errorf("dockerd does not answer, see %s: %w", log.Name(), ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}
