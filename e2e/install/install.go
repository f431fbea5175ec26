// SPDX-License-Identifier: Apache-2.0

// Package install installs Credence into a cluster as its users do: an image, and the
// chart by helm.
package install

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/credence-dev/credence/e2e/compile"
	"github.com/credence-dev/credence/e2e/image"
)

// Namespace and Release are those of the chart.
const (
	Namespace = "credence"
	Release   = "credence"
)

// repository is the name of images that are loaded into nodes and pulled from nowhere.
const repository = "credence.local/credence"

// Checkout is a checked-out repository, and helm.
type Checkout struct {
	root string
	helm string
}

// Open finds the repository that the current folder is in, and makes helm in it.
func Open(ctx context.Context) (*Checkout, error) {
	module, err := compile.Go(ctx, "", "env", "GOMOD")
	if err != nil {
		return nil, err
	}
	root := filepath.Dir(filepath.Dir(module))
	helm := filepath.Join(root, "bin", "helm")
	if _, err := compile.Go(ctx, filepath.Dir(module), "build", "-ldflags=-s -w", "-o", helm, "helm.sh/helm/v4/cmd/helm"); err != nil {
		return nil, fmt.Errorf("making helm: %w", err)
	}
	return &Checkout{root: root, helm: helm}, nil
}

// Image is Credence as it is checked out, in the image that the Dockerfile makes, too.
// The name says what is in it.
func (c *Checkout) Image(ctx context.Context) (string, v1.Image, error) {
	dir, err := os.MkdirTemp("", "credence-image-")
	if err != nil {
		return "", nil, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "credence")
	cmd := exec.CommandContext(ctx, "go", "build", "-C", c.root, "-trimpath", "-ldflags=-s -w", "-o", program, "./cmd/credence")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("compiling credence: %w\n%s", err, said)
	}
	made, err := image.Of(map[string]image.File{"/credence": {From: program}},
		v1.Config{User: "65532:65532", Entrypoint: []string{"/credence"}})
	if err != nil {
		return "", nil, err
	}
	digest, err := made.Digest()
	if err != nil {
		return "", nil, err
	}
	return repository + ":" + digest.Hex[:12], made, nil
}

// ImageValues are the arguments of helm for an image.
func ImageValues(name string) []string {
	at, tag, _ := strings.Cut(name, ":")
	return []string{"--set=image.repository=" + at, "--set=image.tag=" + tag}
}

// Install installs the chart, or upgrades to it, and waits until it runs. args are
// further arguments of helm, such as --set.
func (c *Checkout) Install(ctx context.Context, kubeconfig string, out io.Writer, args ...string) error {
	return c.Helm(ctx, kubeconfig, out, append([]string{"upgrade", "--install", Release, filepath.Join(c.root, "charts", "credence"),
		"--namespace=" + Namespace, "--create-namespace", "--wait", "--timeout=5m"}, args...)...)
}

// Uninstall uninstalls the chart.
func (c *Checkout) Uninstall(ctx context.Context, kubeconfig string, out io.Writer, args ...string) error {
	return c.Helm(ctx, kubeconfig, out, append([]string{"uninstall", Release, "--namespace=" + Namespace, "--wait", "--timeout=5m"}, args...)...)
}

// Helm runs helm.
func (c *Checkout) Helm(ctx context.Context, kubeconfig string, out io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, c.helm, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	var complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &complaints
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("helm %s: %w: %s", args[0], err, complaints.String())
	}
	return nil
}
