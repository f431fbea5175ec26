// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Install installs packages on this machine unless their programs are there, and says
// so. It is for what is harmless to have: nothing that starts by itself.
// programs are pairs of program and package.
func Install(ctx context.Context, progress io.Writer, programs map[string]string) error {
	var missing []string
	for program, name := range programs {
		if _, err := lookPath(program); err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	fmt.Fprintf(progress, "installing %s on this machine\n", strings.Join(missing, ", "))
	if err := update(ctx, missing, progress); err != nil {
		return err
	}
	return run(ctx, "", "apt-get", append([]string{"install", "-y", "--no-install-recommends"}, missing...)...)
}

// lookPath looks where administrators' programs are, too.
func lookPath(program string) (string, error) {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/sbin", "/usr/sbin", "/sbin") {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

// Unpack unpacks packages, without those they depend on, into a folder below cache and
// returns it. Nothing is installed, so nothing is started. What is there is used again
// until there are other versions.
func Unpack(ctx context.Context, cache string, progress io.Writer, packages ...string) (string, error) {
	if err := update(ctx, packages, progress); err != nil {
		return "", err
	}
	// A line for each package, with its file, size and hash.
	sources, err := output(ctx, "apt-get", append([]string{"download", "--print-uris"}, packages...)...)
	if err != nil {
		return "", err
	}
	root := filepath.Join(cache, "packages-"+short(sources))
	if exists(root) {
		return root, nil
	}
	fmt.Fprintf(progress, "unpacking %s into %s\n", strings.Join(packages, ", "), root)
	debs, err := os.MkdirTemp("", "credence-packages-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(debs)
	if err := run(ctx, debs, "apt-get", append([]string{"download"}, packages...)...); err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil || len(files) == 0 {
		return "", fmt.Errorf("apt-get downloaded nothing of %s: %w", strings.Join(packages, ", "), err)
	}
	return root, Complete(root, func(unfinished string) error {
		for _, file := range files {
			if err := run(ctx, debs, "dpkg-deb", "-x", file, unfinished); err != nil {
				return err
			}
		}
		return nil
	})
}

// update fetches the lists of packages if apt does not know all of these.
func update(ctx context.Context, packages []string, progress io.Writer) error {
	if _, err := output(ctx, "apt-get", append([]string{"download", "--print-uris"}, packages...)...); err == nil {
		return nil
	}
	fmt.Fprintln(progress, "fetching the lists of Debian's packages")
	return run(ctx, "", "apt-get", "update")
}

// Complete has a folder or a file appear only when it is complete. fill gets the path
// of what it is called until then.
func Complete(path string, fill func(unfinished string) error) error {
	unfinished := path + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := fill(unfinished); err != nil {
		return errors.Join(err, os.RemoveAll(unfinished))
	}
	return os.Rename(unfinished, path)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// short is a name for content.
func short(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:6])
}

// run runs a program that tells what it does only when it fails.
func run(ctx context.Context, dir, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	said, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, said)
	}
	return nil
}

func output(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var complaints strings.Builder
	cmd.Stderr = &complaints
	said, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, complaints.String())
	}
	return string(said), nil
}
