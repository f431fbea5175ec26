// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/credence-dev/credence/e2e/image"
)

// Repository is where kubeadm is told to take the images of a cluster from. Nothing
// answers there: the image of the node has them.
const Repository = "kind.local/k8s"

const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// systemImages are those that kubeadm names, each of a static program. That of
// kube-proxy also has nft with its libraries, from the file system root.
func systemImages(ctx context.Context, p programs, version, root string) (map[string]v1.Image, error) {
	tags, err := imageNames(ctx, p, version)
	if err != nil {
		return nil, err
	}
	images := map[string]v1.Image{}
	for name, tag := range tags {
		if images[tag], err = systemImage(ctx, p, name, root); err != nil {
			return nil, fmt.Errorf("making the image %s: %w", tag, err)
		}
	}
	return images, nil
}

// imageNames are the images that kubeadm asks for, by the name of their program.
func imageNames(ctx context.Context, p programs, version string) (map[string]string, error) {
	said, err := exec.CommandContext(ctx, p.of("kubeadm"), "config", "images", "list",
		"--image-repository="+Repository, "--kubernetes-version="+version).Output()
	if err != nil {
		return nil, fmt.Errorf("asking kubeadm for the images of a cluster: %w", err)
	}
	tags := map[string]string{}
	for tag := range strings.FieldsSeq(string(said)) {
		name, _, _ := strings.Cut(path.Base(tag), ":")
		tags[name] = tag
	}
	return tags, nil
}

func systemImage(ctx context.Context, p programs, name, root string) (v1.Image, error) {
	program := p.of(name)
	if program == "" {
		return nil, fmt.Errorf("kubeadm asks for %s, which is not compiled", name)
	}
	files := map[string]image.File{"/usr/local/bin/" + name: {From: program}, "/tmp/.keep": {}}
	config := v1.Config{Env: []string{searchPath}}
	switch name {
	case "coredns", "pause": // kubeadm gives these no command
		config.Entrypoint = []string{"/usr/local/bin/" + name}
	case "kube-proxy":
		if err := addWithLibraries(ctx, files, root, "/usr/sbin/nft"); err != nil {
			return nil, err
		}
	}
	return image.Of(files, config)
}

// addWithLibraries adds a program of a file system and the libraries it is linked to.
func addWithLibraries(ctx context.Context, files map[string]image.File, root, program string) error {
	said, err := exec.CommandContext(ctx, "chroot", root, "ldd", program).Output()
	if err != nil {
		return fmt.Errorf("asking for the libraries of %s: %w", program, err)
	}
	files[program] = image.File{From: filepath.Join(root, program)}
	for word := range strings.FieldsSeq(string(said)) {
		if strings.HasPrefix(word, "/") {
			files[word] = image.File{From: filepath.Join(root, word)}
		}
	}
	return nil
}
