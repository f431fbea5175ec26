// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Suite is the release that file systems are made of. Its systemd and containerd are
// those that the local cluster was tried with.
const Suite = "bookworm"

// Root makes the file system of a minimal Debian with packages and what they depend on
// below cache, and returns its folder. What is there is used again until there are
// other versions of these packages.
func Root(ctx context.Context, cache string, progress io.Writer, packages ...string) (string, error) {
	tools, err := Unpack(ctx, cache, progress, "debootstrap")
	if err != nil {
		return "", err
	}
	if err := Install(ctx, progress, map[string]string{"wget": "wget"}); err != nil { // what debootstrap fetches with
		return "", err
	}
	mirror, release, err := archive(ctx)
	if err != nil {
		return "", err
	}
	root := filepath.Join(cache, "root-"+short(release+strings.Join(packages, ",")))
	if exists(root) {
		return root, nil
	}
	fmt.Fprintf(progress, "making a Debian with %d packages in %s, a minute or two\n", len(packages), root)
	return root, Complete(root, func(unfinished string) error {
		scripts := filepath.Join(tools, "usr/share/debootstrap")
		cmd := exec.CommandContext(ctx, "sh", filepath.Join(tools, "usr/sbin/debootstrap"),
			"--variant=minbase", "--include="+strings.Join(packages, ","), Suite, unfinished, mirror)
		cmd.Env = append(os.Environ(), "DEBOOTSTRAP_DIR="+scripts, "LC_ALL=C",
			"PATH="+os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
		said, err := cmd.CombinedOutput()
		// It leaves these behind where it was interrupted, too.
		unmounted := errors.Join(unmount(unfinished, "proc"), unmount(unfinished, "sys"))
		if err != nil {
			return errors.Join(fmt.Errorf("debootstrap: %w\n%s", err, said), unmounted)
		}
		return errors.Join(unmounted, thin(unfinished))
	})
}

// archive is where this machine gets its packages from, and what it last read there.
func archive(ctx context.Context) (mirror, release string, err error) {
	targets, err := output(ctx, "apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI) $(FILENAME)", "Identifier: Packages")
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(targets) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "Debian" {
			return words[1], line, nil
		}
	}
	return "", "", errors.New("no source of apt is Debian's own archive: a node image needs one")
}

func unmount(root, folder string) error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	path := filepath.Join(root, folder)
	if !strings.Contains(string(mounts), " "+path+" ") {
		return nil
	}
	if said, err := exec.Command("umount", path).CombinedOutput(); err != nil {
		return fmt.Errorf("unmounting %s: %w: %s", path, err, said)
	}
	return nil
}

// thin removes what no container reads.
func thin(root string) error {
	var all []error
	for _, pattern := range []string{"var/cache/apt/archives/*.deb", "var/lib/apt/lists/*", "usr/share/doc/*", "usr/share/man/*", "usr/share/locale/*", "var/log/*"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		all = append(all, err)
		for _, path := range paths {
			all = append(all, os.RemoveAll(path))
		}
	}
	return errors.Join(all...)
}
