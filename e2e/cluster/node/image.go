// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/credence-dev/credence/e2e/debian"
	"github.com/credence-dev/credence/e2e/image"
)

// source is a part of what the image is made of: other code makes another image.
//
//go:embed *.go files
var source embed.FS

// Image returns the name of the image of a node, which the container engine has then.
// Needs root, and docker in the search path. What it is made of is kept below cache.
func Image(ctx context.Context, cache string, progress io.Writer) (string, error) {
	made, err := compilePrograms(ctx, cache, progress)
	if err != nil {
		return "", err
	}
	bare, err := debian.Root(ctx, cache, progress, packages...)
	if err != nil {
		return "", err
	}
	version, err := made.version(ctx)
	if err != nil {
		return "", err
	}
	key, err := keyOf(ctx, made, bare)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("credence-e2e/node:%s-%s", version, key)
	if exec.CommandContext(ctx, "docker", "image", "inspect", name).Run() == nil {
		return name, nil
	}
	root := filepath.Join(cache, "node-"+key)
	if _, err := os.Stat(root); err != nil {
		fmt.Fprintf(progress, "making a node of Kubernetes %s\n", version)
		if err := makeRoot(ctx, cache, bare, root, made, version); err != nil {
			return "", err
		}
	}
	fmt.Fprintf(progress, "giving the container engine the image %s\n", name)
	return name, load(ctx, root, name)
}

// makeRoot makes the file system of a node, with the images of a cluster, and removes
// older ones.
func makeRoot(ctx context.Context, cache, bare, root string, made programs, version string) error {
	old, err := filepath.Glob(filepath.Join(cache, "node-*"))
	if err != nil {
		return err
	}
	for _, folder := range old {
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
	}
	return debian.Complete(root, func(unfinished string) error {
		if said, err := exec.CommandContext(ctx, "cp", "-a", "--reflink=auto", bare, unfinished).CombinedOutput(); err != nil {
			return fmt.Errorf("copying %s: %w: %s", bare, err, said)
		}
		if err := furnish(ctx, unfinished, made, version); err != nil {
			return err
		}
		images, err := systemImages(ctx, made, version, unfinished)
		if err != nil {
			return err
		}
		archive := unfinished + ".images.tar"
		defer os.Remove(archive)
		if err := image.Write(archive, images); err != nil {
			return err
		}
		return bake(ctx, unfinished, archive)
	})
}

// bake has the node's own containerd take in the images of an archive.
func bake(ctx context.Context, root, archive string) error {
	script, err := source.ReadFile("files/bake.sh")
	if err != nil {
		return err
	}
	images, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer images.Close()
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc="+filepath.Join(root, "proc"),
		"chroot", root, "/bin/sh", "-c", string(script))
	cmd.Stdin = images
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("giving a node its images: %w\n%s", err, said)
	}
	return os.RemoveAll(filepath.Join(root, "run/bake"))
}

// load makes an image of a file system. An import cannot set the signal that systemd
// wants to be stopped with, so it is two.
func load(ctx context.Context, root, name string) error {
	imported := name + "-imported"
	tar := exec.CommandContext(ctx, "tar", "-C", root, "--one-file-system", "--numeric-owner", "-c", ".")
	docker := exec.CommandContext(ctx, "docker", "import", "--change=ENV container=docker",
		`--change=ENTRYPOINT ["/usr/local/bin/entrypoint","/sbin/init"]`, "-", imported)
	var complaints strings.Builder
	tar.Stderr, docker.Stderr = &complaints, &complaints
	out, err := tar.StdoutPipe()
	if err != nil {
		return err
	}
	docker.Stdin = out
	if err := tar.Start(); err != nil {
		return fmt.Errorf("reading the file system of a node: %w", err)
	}
	if err := errors.Join(docker.Run(), tar.Wait()); err != nil {
		return fmt.Errorf("importing the image of a node: %w: %s", err, complaints.String())
	}
	build := exec.CommandContext(ctx, "docker", "build", "--quiet", "--tag="+name, "-")
	build.Stdin = strings.NewReader("FROM " + imported + "\nSTOPSIGNAL SIGRTMIN+3\n")
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("making the image of a node: %w: %s", err, said)
	}
	return nil
}

// keyOf is a name for all that decides what the image becomes.
func keyOf(ctx context.Context, made programs, bare string) (string, error) {
	stamps, err := made.stamps()
	if err != nil {
		return "", err
	}
	base, err := kindFiles(ctx)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	fmt.Fprintln(hash, stamps, filepath.Base(bare), base)
	err = fs.WalkDir(source, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := source.ReadFile(path)
		fmt.Fprintf(hash, "%s %d\n%s", path, len(content), content)
		return err
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil))[:12], nil
}
